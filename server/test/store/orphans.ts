/**
 * Live runs that do not have exactly one reason to progress: due or with a timer, leased, waiting for a message, paused,
 * stalled. Empty at every instant. For tests, and for whoever looks at a database by hand.
 */
import type pg from "pg";
import { isOpen } from "../../src/core/state.js";
import type { Row } from "../../src/store/memory-row.js";

export const ORPHANS = `
WITH run AS (SELECT ns, id, status AS ended FROM aiki.run),
seen AS (
  SELECT COALESCE(r.ns, a.ns) AS ns, COALESCE(r.id, a.run_id) AS id, r.id IS NOT NULL AS known, r.ended IS NULL AS live,
    a.run_id IS NOT NULL AS acts, a.status, a.lease_until, a.due_at, a.mail_seq, a.seen
  FROM run r FULL JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id
)
SELECT id, status FROM seen s
WHERE NOT known OR live <> acts OR (live AND 1 <> (
  -- leased: due all the while, so that it can be claimed when the lease runs out
  (lease_until IS NOT NULL AND due_at <= aiki.now_ms())::int
  -- due, or with a timer
  + (lease_until IS NULL AND due_at IS NOT NULL)::int
  + (lease_until IS NULL AND due_at IS NULL AND mail_seq = s.seen AND (
      status IN ('paused', 'stalled')
      OR status = 'suspended' AND EXISTS (
        SELECT FROM (
          SELECT DISTINCT ON (key) kind, value FROM aiki.record x
          WHERE x.ns = s.ns AND x.run_id = s.id ORDER BY key, n DESC
        ) last
        WHERE kind IN ('event', 'wait') AND value LIKE '%"state":"waiting"%'
      )
    ))::int
))`;

export async function orphansInPostgres(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string; status: string }>(ORPHANS);
  return rows.map(({ id, status }) => `${id} ${status}`);
}

export function orphansInMemory(rows: Iterable<Row>, now: number): string[] {
  return [...rows]
    .filter((row) => !row.end && !hasReason(row, now))
    .map(({ facts, status }) => `${facts.id} ${status}`);
}

function hasReason(row: Row, now: number): boolean {
  if (row.leaseUntil !== null) return row.dueAt !== null && row.dueAt <= now;
  if (row.dueAt !== null) return true;
  if (row.mailSeq !== row.seen) return false;
  if (row.status === "paused" || row.status === "stalled") return true;
  const last = new Map(row.records.map((record) => [record.key, record]));
  const waits = [...last.values()].some((one) => (one.kind === "event" || one.kind === "wait") && isOpen(one));
  return row.status === "suspended" && waits;
}
