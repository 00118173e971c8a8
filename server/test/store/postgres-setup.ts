/**
 * One Postgres for a whole run of vitest, with a database that those of the tests are copied from. `TEST_POSTGRES_URL`
 * names one that runs already, of another version perhaps: a superuser's URL, on whose server databases are made and dropped.
 */
import { randomBytes } from "node:crypto";
import { startEmbeddedPostgres } from "../../src/shell/embedded-postgres.js";
import { readMigrations } from "../../src/shell/migrations.js";
import { migrate } from "../../src/store/postgres/migrate.js";
import { once } from "./new-database.js";
import { onDemand, type Started } from "./on-demand.js";

interface Provider {
  provide(key: "postgresSocket", value: string): void;
}

export async function setup(project: Provider): Promise<() => Promise<void>> {
  const { TEST_POSTGRES_URL: given } = process.env;
  const { socket, close } = await onDemand(given ? () => borrow(given) : startForTests);
  project.provide("postgresSocket", socket);
  return close;
}

/** Its own database gets Aiki's schema and is the template of the tests' databases: nobody else connects to it. */
async function startForTests(folder: string): Promise<Started<string>> {
  const { url, close } = await startEmbeddedPostgres(folder);
  await migrate(url, await readMigrations());
  return { value: url, close };
}

async function borrow(server: string): Promise<Started<string>> {
  const name = `test_template_${randomBytes(8).toString("hex")}`;
  await once(server, `CREATE DATABASE ${name}`);
  const url = server.replace(/[^/]*$/, name);
  await migrate(url, await readMigrations());
  return { value: url, close: () => once(server, `DROP DATABASE ${name} WITH (FORCE)`) };
}

declare module "vitest" {
  interface ProvidedContext {
    postgresSocket: string;
  }
}
