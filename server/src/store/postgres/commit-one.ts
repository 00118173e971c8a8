/** The commit of one run that tells nobody and starts nothing: most commits are such. */
import { CLOCK, type Statement } from "./connection.js";

/** Whether the due time is kept or set is decided on the row that is updated, which has every message up to now. */
export const commitOne: Statement = {
  name: "commit_one",
  text: `
WITH done AS (
  UPDATE aiki.actor SET
    seq = seq + 1,
    seen = $7::int,
    queued = $8::int[],
    paused = $9::boolean,
    start_at = $19::bigint,
    trouble = $10,
    last_commit = $6,
    tries = CASE WHEN $11::boolean THEN 0 ELSE tries END,
    status = $12,
    hold = CASE WHEN $20::boolean THEN 'push' WHEN $13::bigint IS NOT NULL THEN COALESCE(hold, 'push') END,
    -- A checkpoint of what is held for a callback does not bring the callback's deadline nearer.
    lease_until = CASE
      WHEN hold = 'callback' AND $13::bigint IS NOT NULL AND NOT $20::boolean
      THEN GREATEST(lease_until, aiki.now_ms() + $13::bigint)
      ELSE aiki.now_ms() + $13::bigint
    END,
    due_at = CASE
      WHEN $13::bigint IS NOT NULL THEN LEAST(due_at, aiki.now_ms())
      WHEN mail_seq > $7::int THEN aiki.now_ms()
      ELSE $14::bigint
    END
  WHERE ns = $1 AND run_id = $2 AND epoch = $3::int AND gen = $4::int AND seq = $5::int AND lease_until IS NOT NULL
  RETURNING ns, run_id, gen, mail_seq
),
recorded AS (
  INSERT INTO aiki.record (ns, run_id, n, gen, at, kind, key, value)
  SELECT d.ns, d.run_id, r.n, d.gen, aiki.now_ms(), r.kind, r.key, r.value
  FROM done d, unnest($15::int[], $16::text[], $17::text[], $18::text[]) AS r(n, kind, key, value)
)
SELECT (SELECT mail_seq FROM done) AS mail_seq, ${CLOCK}`,
};

/** The last commit of one run that has no parent to tell. Locked first, so that a refusal knows its reason. */
export const endOne: Statement = {
  name: "end_one",
  text: `
WITH locked AS MATERIALIZED (
  SELECT ns, run_id, ctl_n FROM aiki.actor
  WHERE ns = $1 AND run_id = $2 AND epoch = $3::int AND gen = $4::int AND seq = $5::int AND lease_until IS NOT NULL
  FOR UPDATE
),
done AS (
  DELETE FROM aiki.actor a USING locked l
  WHERE a.ns = l.ns AND a.run_id = l.run_id AND l.ctl_n <= $7::int
  RETURNING a.ns, a.run_id, a.gen, a.mail_seq
),
recorded AS (
  INSERT INTO aiki.record (ns, run_id, n, gen, at, kind, key, value)
  SELECT d.ns, d.run_id, r.n, d.gen, aiki.now_ms(), r.kind, r.key, r.value
  FROM done d, unnest($13::int[], $14::text[], $15::text[], $16::text[]) AS r(n, kind, key, value)
),
ended AS (
  UPDATE aiki.run r SET status = $8, ended_at = aiki.now_ms(), output = $9, error = $10, failed_task = $11,
    reason = $12, end_gen = d.gen, last_commit = $6, end_seen = $7::int, end_queued = $17::int[]
  FROM done d WHERE r.ns = d.ns AND r.id = d.run_id
)
SELECT (SELECT mail_seq FROM done) AS mail_seq, EXISTS (SELECT FROM locked WHERE ctl_n > $7::int) AS unread, ${CLOCK}`,
};
