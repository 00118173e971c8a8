import pg from "pg";

/** Runs too, and not only when they are claimed: what is under way may carry a fence that the backup has given back. */
const RAISE = `
WITH raised AS (UPDATE aiki.meta SET epoch = epoch + 1 RETURNING epoch),
moved AS (UPDATE aiki.actor SET epoch = raised.epoch FROM raised)
SELECT epoch FROM raised`;

/**
 * After a database was restored: no answer and no token from before counts any more. Returns the new epoch. To be called
 * before an orchestrator starts on it, because each reads the epoch when it starts.
 */
export async function raiseEpoch(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url, application_name: "aiki migrate --restored" });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ epoch: number }>(RAISE);
    const [row] = rows;
    if (!row) throw new Error("aiki.meta has no row.");
    return row.epoch;
  } finally {
    await client.end();
  }
}
