/** Inserts runs, each leased or due, in one statement. */
import { CLOCK, type Statement } from "./connection.js";

/**
 * A start whose id or reference is taken inserts nothing and gets the run that has it. That run may have been committed
 * after this statement began: then neither is seen, and the caller asks again.
 */
export const startRuns: Statement = {
  name: "start_runs",
  text: `
WITH input AS MATERIALIZED (
  SELECT i.*, n.now, GREATEST(i.start_at, n.now + COALESCE(i.delay_ms, 0)) AS due_at
  FROM unnest(
    $1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[]
  ) AS i(
    place, ns, id, workflow, version, input, reference, retry, timeout_ms,
    pool, parent_id, parent_key, request_hash, delay_ms, start_at, lease_ms
  ), (SELECT aiki.now_ms() AS now) n
),
made AS (
  INSERT INTO aiki.run (
    ns, id, workflow, version, created_at, timed_from, input, reference, retry, timeout_ms, pool, parent_id, parent_key,
    request_hash
  )
  SELECT ns, id, workflow, version, now, due_at, input, reference, retry, timeout_ms, pool, parent_id, parent_key,
    request_hash
  FROM input
  ORDER BY ns, id
  ON CONFLICT DO NOTHING
  RETURNING ns, id, created_at
),
timed AS (
  SELECT i.place, i.ns, i.id, i.now, i.lease_ms, i.due_at
  FROM made m JOIN input i ON i.ns = m.ns AND i.id = m.id
),
acting AS (
  INSERT INTO aiki.actor (ns, run_id, epoch, gen, tries, lease_until, hold, due_at, start_at, status)
  SELECT t.ns, t.id, meta.epoch, leased::int, leased::int, CASE WHEN leased THEN t.now + t.lease_ms END,
    CASE WHEN leased THEN 'push' END, t.due_at, CASE WHEN t.due_at > t.now THEN t.due_at END,
    CASE WHEN leased THEN 'running' WHEN t.due_at > t.now THEN 'scheduled' ELSE 'queued' END
  FROM timed t, aiki.meta, LATERAL (SELECT t.lease_ms IS NOT NULL AND t.due_at <= t.now AS leased) l
  RETURNING ns, run_id, epoch, gen, status
)
SELECT i.place, m.created_at AS made_at, a.epoch, a.gen, COALESCE(a.status, old.status, busy.status) AS status,
  old.id AS old_id, old.workflow, old.version, old.reference, old.parent_id, old.schedule_id, old.created_at, old.ended_at,
  old.request_hash, ${CLOCK}
FROM input i
LEFT JOIN made m ON m.ns = i.ns AND m.id = i.id
LEFT JOIN acting a ON a.ns = m.ns AND a.run_id = m.id
LEFT JOIN LATERAL (
  SELECT r.* FROM aiki.run r WHERE m.id IS NULL AND r.ns = i.ns AND r.id = i.id
  UNION ALL
  SELECT r.* FROM aiki.run r
  WHERE m.id IS NULL AND r.ns = i.ns AND r.workflow = i.workflow AND r.version = i.version
    AND r.reference = i.reference AND r.reference IS NOT NULL AND r.parent_id IS NULL
  LIMIT 1
) old ON true
LEFT JOIN aiki.actor busy ON busy.ns = old.ns AND busy.run_id = old.id`,
};
