/** One fire of a schedule: the schedule goes on to its next instant, and its runs exist. Both, or neither. */
import { CLOCK, type Statement } from "./connection.js";

/**
 * `seq` is the fence. A schedule that another process fires waits here for that one's commit, is then looked at again,
 * and does not match any more. So what was read under this `seq` still holds: above all which run was the last one.
 * Whether that run goes on was read by the process that decided: a run that has ended since gets no cancel, because its
 * actor is gone, and one that was skipped for was live when its turn came.
 * `$7`: the time must have come, by the database's own clock.
 */
export const fireSchedule: Statement = {
  name: "fire_schedule",
  text: `
WITH fired AS (
  UPDATE aiki.schedule SET
    seq = seq + 1,
    next_at = $5::bigint,
    last_at = CASE WHEN cardinality($4::text[]) > 0 THEN aiki.now_ms() ELSE last_at END,
    last_run_id = COALESCE(($4::text[])[cardinality($4::text[])], last_run_id),
    started = started + cardinality($4::text[]),
    skipped = skipped + $6::int
  WHERE ns = $1 AND id = $2 AND seq = $3::int AND (NOT $7::boolean OR next_at <= aiki.now_ms())
  RETURNING ns, id, workflow, version, input, retry, timeout_ms, pool, request_hash
),
made AS (
  INSERT INTO aiki.run (
    ns, id, workflow, version, created_at, timed_from, input, retry, timeout_ms, pool, request_hash, schedule_id
  )
  SELECT f.ns, r.id, f.workflow, f.version, aiki.now_ms(), aiki.now_ms(), f.input, f.retry, f.timeout_ms, f.pool, f.request_hash, f.id
  FROM fired f CROSS JOIN unnest($4::text[]) AS r(id)
  ORDER BY r.id
  ON CONFLICT DO NOTHING
  RETURNING ns, id, created_at
),
acting AS (
  INSERT INTO aiki.actor (ns, run_id, epoch, gen, tries, due_at, status)
  SELECT m.ns, m.id, meta.epoch, 0, 0, m.created_at, 'queued' FROM made m, aiki.meta
),
counted AS (
  UPDATE aiki.actor a SET
    mail_seq = a.mail_seq + 1,
    due_at = LEAST(a.due_at, aiki.now_ms()),
    ctl_n = a.mail_seq + 1,
    cancel_n = a.mail_seq + 1
  WHERE a.ns = $1 AND a.run_id = $8::text AND (SELECT count(*) FROM fired) = 1
  RETURNING a.ns, a.run_id, a.mail_seq AS n
),
put AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT ns, run_id, n, aiki.now_ms(), $9, 'cancel', $10 FROM counted
)
SELECT (SELECT count(*) FROM fired) AS fired, ${CLOCK}`,
};
