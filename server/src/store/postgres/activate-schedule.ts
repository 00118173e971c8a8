/** Inserts a schedule, or finds or changes the one of its identity, in one statement. */
import type { ActivateOutcome, NewSchedule } from "../port.js";
import { CLOCK, type Connection, type Statement } from "./connection.js";
import { toText } from "./rows.js";
import { LAST_LIVE, toSchedule } from "./schedule-rows.js";

/**
 * A schedule that is there already is found by its identity. It may have been committed after this statement began: then
 * neither it nor a new one comes back, and the caller asks again. The bound is counted before, so that activations of
 * the same moment may go past it by their number.
 */
const activateSchedule: Statement = {
  name: "activate_schedule",
  text: `
WITH held AS MATERIALIZED (SELECT count(*) AS n FROM aiki.schedule WHERE ns = $1),
put AS (
  INSERT INTO aiki.schedule AS s (
    ns, id, identity, reference, content_hash, workflow, version, input, retry, timeout_ms, pool, request_hash, recurrence,
    overlap_policy, catch_up, created_at, updated_at, anchor_at, next_at
  )
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bigint, $11, $12, $13, $14, $15, now, now, $16::bigint, $17::bigint
  FROM held, LATERAL (SELECT aiki.now_ms() AS now) clock
  WHERE held.n < $18::int OR EXISTS (SELECT FROM aiki.schedule WHERE ns = $1 AND identity = $3 AND identity <> '')
  ON CONFLICT (ns, identity) WHERE identity <> '' DO UPDATE SET
    content_hash = excluded.content_hash, workflow = excluded.workflow, version = excluded.version,
    input = excluded.input, retry = excluded.retry, timeout_ms = excluded.timeout_ms, pool = excluded.pool,
    request_hash = excluded.request_hash, recurrence = excluded.recurrence, overlap_policy = excluded.overlap_policy,
    catch_up = excluded.catch_up, updated_at = excluded.updated_at,
    seq = s.seq + 1,
    anchor_at = CASE WHEN s.recurrence = excluded.recurrence THEN s.anchor_at ELSE excluded.anchor_at END,
    next_at = CASE WHEN s.next_at IS NULL OR s.recurrence = excluded.recurrence THEN s.next_at ELSE excluded.next_at END
  WHERE $19::boolean AND s.content_hash <> excluded.content_hash
  RETURNING *
),
found AS (
  SELECT put.*, CASE WHEN seq = 0 THEN 'created' ELSE 'updated' END AS outcome FROM put
  UNION ALL
  SELECT old.*, 'unchanged' FROM aiki.schedule old
  WHERE old.ns = $1 AND old.identity = $3 AND old.identity <> '' AND NOT EXISTS (SELECT FROM put)
)
SELECT held.n >= $18::int AS full, s.*, ${LAST_LIVE}, ${CLOCK} FROM held LEFT JOIN found s ON true`,
};

export async function activate(connection: Connection, one: NewSchedule, max: number): Promise<ActivateOutcome> {
  const values = [
    one.ns,
    one.id,
    one.identity,
    one.reference ?? null,
    one.contentHash,
    one.workflow,
    one.version,
    toText(one.input),
    toText(one.retry),
    one.timeoutMs ?? null,
    one.pool ?? null,
    one.requestHash,
    toText(one.recurrence),
    one.overlapPolicy,
    one.catchUp,
    one.anchorAt,
    one.nextAt ?? null,
    max,
    one.updates,
  ];
  for (;;) {
    const [row] = await connection.run(activateSchedule, values);
    if (row?.["id"]) {
      return { type: row["outcome"] as "created" | "updated" | "unchanged", schedule: toSchedule(row) };
    }
    if (row?.["full"] === true) return { type: "too_many" };
  }
}
