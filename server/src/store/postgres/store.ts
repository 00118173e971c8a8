/** The store on Postgres 14 or newer, directly or behind a pooler. */
import { AikiError } from "@aikirun/protocol/canonical";
import type { Store } from "../port.js";
import { type Connection, type ConnectionOptions, connect } from "./connection.js";
import { keyStore } from "./keys.js";
import { checkSchema } from "./migrate.js";
import { pushStore } from "./pushes.js";
import { runQueries } from "./queries.js";
import { registry } from "./registry.js";
import { runStore } from "./runs.js";
import { scheduleStore } from "./schedules.js";
import { statsStore } from "./stats.js";

export interface PostgresStore {
  readonly store: Store;
  /** One sentence for each setting under which a crash of the database's machine can lose data. */
  readonly warnings: readonly string[];
  /** Whether statements are prepared: false behind a pooler that does not keep them. */
  readonly prepares: boolean;
}

/** Oldest server whose SQL this is tested with. */
const OLDEST = 140_000;

/**
 * Connects and checks server and schema.
 * Throws `SCHEMA_TOO_OLD`, `SCHEMA_UNKNOWN`, `SETTING_INVALID` (the server is too old), `DATABASE_UNSAFE`, or
 * `StoreUnavailable`.
 */
export async function openPostgresStore(options: ConnectionOptions): Promise<PostgresStore> {
  const connection = await connect(options);
  try {
    const warnings = await connection.ask(() => inspectServer(connection));
    await connection.ask(() => checkSchema(connection));
    const store = assembleStore(connection);
    // The first answer tells the time.
    await store.ping();
    return { store, warnings, prepares: connection.prepares };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The store over a connection, unchecked. */
export function assembleStore(connection: Connection): Store {
  const { db } = connection;
  return {
    ...runStore(connection, db),
    ...runQueries(connection, db),
    ...pushStore(connection),
    ...statsStore(connection),
    ...scheduleStore(connection),
    ...registry(connection, db),
    ...keyStore(connection, db),
    close: () => connection.close(),
  };
}

/** A service that keeps the log elsewhere may state these as off and lose nothing: a warning must do. */
const SAFE: Readonly<Record<string, { readonly loses: string; isSafe(value: string): boolean }>> = {
  fsync: { loses: "a crash of the machine can corrupt the database", isSafe: (value) => value === "on" },
  full_page_writes: { loses: "a crash of the machine can corrupt the database", isSafe: (value) => value === "on" },
};

const SHOW = { name: undefined, text: "SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name" };

async function inspectServer(connection: Connection): Promise<string[]> {
  const names = ["server_version_num", "server_version", "synchronous_commit", ...Object.keys(SAFE)];
  const rows = await connection.run(SHOW, [names]);
  const settings = new Map(rows.map(({ name, value }) => [name, value as string]));
  if (Number(settings.get("server_version_num")) < OLDEST) {
    throw new AikiError(
      "SETTING_INVALID",
      `DATABASE_URL names a Postgres ${settings.get("server_version")}; Aiki needs 14 or newer.`,
    );
  }
  if (settings.get("synchronous_commit") === "off") {
    throw new AikiError(
      "DATABASE_UNSAFE",
      "The database runs with synchronous_commit = off: a crash loses acknowledged writes. " +
        "Set synchronous_commit = on for this database or this role.",
    );
  }
  return Object.entries(SAFE).flatMap(([name, { loses, isSafe }]) => {
    const value = settings.get(name) ?? "";
    return isSafe(value) ? [] : [`The database runs with ${name} = ${value}: ${loses}. Set ${name} = on.`];
  });
}
