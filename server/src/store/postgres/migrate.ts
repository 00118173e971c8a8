/**
 * Brings a database to this version's schema. Migrations only go forward. They are read by the shell: a bundle has no
 * files, and needs none, because a server only checks.
 */
import { AikiError, sha256Hex } from "@aikirun/protocol/canonical";
import pg from "pg";
import { CLOCK, type Connection } from "./connection.js";

export interface Migration {
  /** `0001_start.sql`: the number orders them, the name says what it does. */
  readonly name: string;
  readonly sql: string;
}

/** The migrations that this code was written for, in order: a server that has no files can still name what is missing. */
export const MIGRATIONS: readonly string[] = [
  "0001_start.sql",
  "0002_failure.sql",
  "0003_control.sql",
  "0004_schedules.sql",
  "0005_unserved.sql",
  "0006_dashboard.sql",
];

/** Number of the newest of them. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Any number that nobody else is likely to lock. */
const LOCK = 0x61696b69;

const PREPARE = `
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '10min';
SELECT pg_advisory_xact_lock(${LOCK});
CREATE SCHEMA IF NOT EXISTS aiki;
CREATE TABLE IF NOT EXISTS aiki.schema_migration (
  name text PRIMARY KEY,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)`;

/** Applies what is missing, all in one transaction, one process at a time. Returns the names of what was applied. */
export async function migrate(url: string, migrations: readonly Migration[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: "aiki migrate" });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("BEGIN");
    await client.query(PREPARE);
    const { rows } = await client.query<{ name: string; checksum: string }>(
      "SELECT name, checksum FROM aiki.schema_migration",
    );
    const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
    refuseUnknown(applied, migrations);
    const missing = migrations.filter(({ name }) => !applied.has(name));
    for (const { name, sql } of missing) {
      await client.query(sql);
      await client.query("INSERT INTO aiki.schema_migration (name, checksum) VALUES ($1, $2)", [name, sha256Hex(sql)]);
    }
    await client.query("COMMIT");
    return missing.map(({ name }) => name);
  } finally {
    // Ends an open transaction, too.
    await client.end();
  }
}

/** Names of the migrations that the database lacks. Changes nothing. Throws `SCHEMA_UNKNOWN` as `migrate` does. */
export async function pendingMigrations(url: string, migrations: readonly Migration[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: "aiki migrate --check" });
  client.on("error", () => {});
  await client.connect();
  try {
    const table = await client.query<{ found: boolean }>(
      "SELECT to_regclass('aiki.schema_migration') IS NOT NULL AS found",
    );
    if (!table.rows[0]?.found) return migrations.map(({ name }) => name);
    const { rows } = await client.query<{ name: string; checksum: string }>(
      "SELECT name, checksum FROM aiki.schema_migration",
    );
    const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
    refuseUnknown(applied, migrations);
    return migrations.map(({ name }) => name).filter((name) => !applied.has(name));
  } finally {
    await client.end();
  }
}

function refuseUnknown(applied: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  const known = new Map(migrations.map(({ name, sql }) => [name, sha256Hex(sql)]));
  for (const [name, checksum] of applied) {
    const expected = known.get(name);
    if (expected === checksum) continue;
    throw new AikiError(
      "SCHEMA_UNKNOWN",
      expected === undefined
        ? `The database has the migration ${name}, which this version of Aiki does not know. Run the newer Aiki that made it.`
        : `The migration ${name} in the database is not the one that this version of Aiki has. Nothing was changed. Restore the database, or run the Aiki that made it.`,
    );
  }
}

/** Throws `SCHEMA_TOO_OLD` or `SCHEMA_UNKNOWN` unless the database has exactly the schema that this code expects. */
export async function checkSchema(connection: Connection): Promise<void> {
  const version = await schemaVersion(connection);
  if (version === SCHEMA_VERSION) return;
  if (version < SCHEMA_VERSION) {
    const state = version === 0 ? "has no Aiki schema yet" : `has Aiki's schema ${version}`;
    const missing = MIGRATIONS.slice(version);
    throw new AikiError(
      "SCHEMA_TOO_OLD",
      `The database ${state}; this version of Aiki needs ${SCHEMA_VERSION}. Missing: ${missing.join(", ")}. Run \`aiki migrate\`.`,
      { details: { missing } },
    );
  }
  throw new AikiError(
    "SCHEMA_UNKNOWN",
    `The database has Aiki's schema ${version}; this version of Aiki knows ${SCHEMA_VERSION}. Run a newer Aiki.`,
  );
}

async function schemaVersion(connection: Connection): Promise<number> {
  const [table] = await connection.run(FIND_TABLE, []);
  if (!table?.["found"]) return 0;
  const [row] = await connection.run(READ_VERSION, []);
  return Number.parseInt((row?.["name"] as string | null) ?? "0", 10);
}

const FIND_TABLE = {
  name: undefined,
  text: `SELECT to_regclass('aiki.schema_migration') IS NOT NULL AS found, ${CLOCK}`,
};
const READ_VERSION = { name: undefined, text: `SELECT max(name) AS name, ${CLOCK} FROM aiki.schema_migration` };
