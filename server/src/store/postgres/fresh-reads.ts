/** Refuses a connection that answers from a cache: a holder that reads the past would write over the present. */
import { AikiError } from "@aikirun/protocol/canonical";
import type { Connection } from "./connection.js";

/** Calls no function, so that a cache of queries takes it; and what it reads is another value after each update. */
const READ = { name: undefined, text: "SELECT xmin::text AS version FROM aiki.meta" };
const WRITE = { name: undefined, text: "UPDATE aiki.meta SET epoch = epoch" };

/** Throws `SETTING_INVALID`. */
export async function refuseCachedReads(connection: Connection): Promise<void> {
  const before = await connection.run(READ, []);
  await connection.run(WRITE, []);
  const after = await connection.run(READ, []);
  if (before[0]?.["version"] !== after[0]?.["version"]) return;
  throw new AikiError(
    "SETTING_INVALID",
    "HYPERDRIVE answers queries from its cache, so that runs would be decided on what was. Switch it off: wrangler hyperdrive update ID --caching-disabled true",
  );
}
