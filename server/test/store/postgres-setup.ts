/** One Postgres for a whole run of vitest, with a database that those of the tests are copied from. */
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/shell/embedded-postgres.js";
import { readMigrations } from "../../src/shell/migrations.js";
import { migrate } from "../../src/store/postgres/migrate.js";
import { onDemand, type Started } from "./on-demand.js";

interface Provider {
  provide(key: "postgresSocket", value: string): void;
}

export async function setup(project: Provider): Promise<() => Promise<void>> {
  const { socket, close } = await onDemand(startForTests);
  project.provide("postgresSocket", socket);
  return close;
}

/** Its own database gets Aiki's schema and is the template of the tests' databases: nobody else connects to it. */
async function startForTests(folder: string): Promise<Started<string>> {
  const { url, close } = await startEmbeddedPostgres(folder);
  await migrate(url, await readMigrations());
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // No test asks what a power cut leaves of this server; to wait for the disk is half the time of a new database.
  for (const setting of ["fsync", "full_page_writes"]) await client.query(`ALTER SYSTEM SET ${setting} = off`);
  await client.query("SELECT pg_reload_conf()");
  await client.end();
  return { value: url, close };
}

declare module "vitest" {
  interface ProvidedContext {
    postgresSocket: string;
  }
}
