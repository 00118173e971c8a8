import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { migrate, startEmbeddedPostgres } from "@aikirun/server";
import { withDatabase } from "../database-fault.js";

export interface DevDatabase {
  readonly url: string;
  /** Whether it is our own, in the data folder. */
  readonly embedded: boolean;
  /** Resolves when our own server has ended; never for another's. */
  readonly exited: Promise<void>;
  close(): Promise<void>;
}

/** The database that `DATABASE_URL` names, or a Postgres of our own in `folder`; with the schema of this version. */
export async function openDatabase(folder: string, databaseUrl: string | undefined): Promise<DevDatabase> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, ".gitignore"), "*\n");
  if (databaseUrl !== undefined) {
    await withDatabase(migrate(databaseUrl));
    return { url: databaseUrl, embedded: false, exited: new Promise(() => {}), close: async () => {} };
  }
  const { url, exited, close } = await startEmbeddedPostgres(folder);
  try {
    await migrate(url);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, embedded: true, exited, close };
}
