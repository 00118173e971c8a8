/** Databases for tests, on a real Postgres. */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import pg from "pg";
import { inject } from "vitest";
import { readMigrations } from "../../src/shell/migrations.js";
import { migrate } from "../../src/store/postgres/migrate.js";

export interface TestDatabase {
  readonly url: string;
  /** For assertions in SQL. */
  readonly pool: pg.Pool;
  /** Drops the database. */
  close(): Promise<void>;
}

/**
 * A new database with Aiki's schema (or, `empty`, without): `const db = await testDatabase()` in `beforeAll`,
 * `db.close()` in `afterAll`. The server is shared by the whole run.
 */
export async function testDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const server = await serverUrl();
  const name = `test_${randomBytes(8).toString("hex")}`;
  await once(server, `CREATE DATABASE ${name}`);
  const url = server.replace(/[^/]*$/, name);
  if (!options.empty) await migrate(url, await readMigrations());
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on("error", () => {});
  return {
    url,
    pool,
    close: async () => {
      await pool.end();
      await once(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function serverUrl(): Promise<string> {
  const answer = JSON.parse(await text(connect(inject("postgresSocket")))) as { url?: string; error?: string };
  if (answer.url === undefined) throw new Error(`The test server did not start: ${answer.error}`);
  return answer.url;
}

async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
