/** Reads `migrations/`, which stands beside `src` here and beside `dist` in the package. */
import { readdir, readFile } from "node:fs/promises";
import type { Migration } from "../store/postgres/migrate.js";

const FOLDER = new URL("../../migrations/", import.meta.url);

export async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort();
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(new URL(name, FOLDER), "utf8") })));
}
