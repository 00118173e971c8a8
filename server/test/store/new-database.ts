/** Databases on the Postgres that one run of vitest shares; `postgres-setup.ts` starts it. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { ask } from "./on-demand.js";

export interface TestDatabase {
  readonly url: string;
  /** For assertions in SQL. */
  readonly pool: pg.Pool;
  /** Drops the database. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Without Aiki's schema. */
  readonly empty?: boolean;
}

/**
 * `socket` is where the template's URL is asked for. Whoever connects to the template keeps others from copying it, so that
 * the server is told what to do through another database.
 */
export async function newDatabase(socket: string, options: DatabaseOptions = {}): Promise<TestDatabase> {
  const template = await ask<string>(socket);
  const server = template.replace(/[^/]*$/, "postgres");
  const name = `test_${randomBytes(8).toString("hex")}`;
  await once(
    server,
    `CREATE DATABASE ${name}${options.empty ? "" : ` TEMPLATE ${new URL(template).pathname.slice(1)}`}`,
  );
  const url = server.replace(/[^/]*$/, name);
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

/** Runs one command on a connection of its own. */
export async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
