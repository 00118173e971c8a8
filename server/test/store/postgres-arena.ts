import type { Store } from "../../src/store/port.js";
import type { PostgresStore } from "../../src/store/postgres/store.js";
import type { Arena } from "./conformance/arena.js";
import type { TestDatabase } from "./database.js";
import { orphansInPostgres } from "./orphans.js";

const EMPTY = `
TRUNCATE aiki.run, aiki.actor, aiki.mailbox, aiki.record, aiki.child, aiki.endpoint, aiki.served_version, aiki.api_key,
  aiki.signing_key, aiki.schedule, aiki.push, aiki.minute, aiki.endpoint_minute;
DELETE FROM aiki.namespace WHERE name <> 'default'`;

/** Stores that stay open from test to test, on a database that is emptied. */
export async function postgresArena(db: TestDatabase, opened: readonly PostgresStore[]): Promise<Arena> {
  await db.pool.query(EMPTY);
  const [first, ...others] = opened.map(({ store }): Store => store);
  if (!first) throw new Error("An arena needs a store.");
  return { stores: [first, ...others], orphans: () => orphansInPostgres(db.pool), close: async () => {} };
}
