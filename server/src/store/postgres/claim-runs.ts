/** Takes the lease of runs that are due. */
import { CLOCK, type Statement } from "./connection.js";
import { pastOf } from "./read-runs.js";

/** Columns of a held run, from `a` (its actor row) and `r` (its cold row). */
export const HELD_COLUMNS = `
  a.ns, a.run_id, a.epoch, a.gen, a.seq, a.seen, a.queued, a.tries, a.paused, a.start_at, a.trouble, a.hold,
  r.workflow, r.version, r.input, r.created_at, r.timed_from, r.reference, r.retry, r.timeout_ms, r.pool, r.parent_id,
  r.parent_key`;

/** The lease of what `due` has found, locked. `$2`: how long. A claim of nothing is one row without a run: it tells the time. */
const TAKE_DUE = `
a AS (
  UPDATE aiki.actor SET
    epoch = (SELECT epoch FROM aiki.meta),
    gen = gen + 1,
    tries = tries + 1,
    lease_until = aiki.now_ms() + $2::bigint,
    -- A run that nobody served may not have been due yet. While it is held it is, so that its lease can run out.
    due_at = LEAST(actor.due_at, aiki.now_ms()),
    hold = 'push',
    status = CASE WHEN due.status IN ('scheduled', 'paused', 'stalled') THEN due.status ELSE 'running' END
  FROM due
  WHERE actor.ns = due.ns AND actor.run_id = due.run_id
  RETURNING actor.*, due.status AS status_before
)
SELECT a.status_before AS status, ${HELD_COLUMNS}, past.*, ${CLOCK}
FROM (SELECT 1) one LEFT JOIN (a JOIN aiki.run r ON r.ns = a.ns AND r.id = a.run_id ${pastOf("a", 0)}) ON true`;

/**
 * Runs that another process is claiming are skipped.
 * `$3`: whether to look, too, for leases that have run out, which means looking at every lease.
 */
export const claimRuns: Statement = {
  name: "claim_runs",
  text: `
WITH free AS MATERIALIZED (
  SELECT ns, run_id, status FROM aiki.actor
  WHERE hold IS NULL AND due_at <= (SELECT aiki.now_ms())
  ORDER BY due_at
  LIMIT $1::int
  FOR UPDATE SKIP LOCKED
),
lost AS MATERIALIZED (
  SELECT ns, run_id, status FROM aiki.actor
  WHERE $3::boolean AND hold IS NOT NULL AND due_at <= (SELECT aiki.now_ms())
    AND (lease_until < (SELECT aiki.now_ms()) OR (hold = 'callback' AND cancel_n > seen))
  ORDER BY due_at
  LIMIT $1::int - (SELECT count(*) FROM free)
  FOR UPDATE SKIP LOCKED
),
due AS (SELECT * FROM free UNION ALL SELECT * FROM lost),
${TAKE_DUE}`,
};

/** One run: it waits for whoever is changing it, so that what it was woken for is seen. */
export const claimRun: Statement = {
  name: "claim_run",
  text: `
WITH due AS MATERIALIZED (
  SELECT ns, run_id, status FROM aiki.actor
  WHERE ns = $3 AND run_id = $4 AND due_at <= aiki.now_ms()
    AND (hold IS NULL OR lease_until < aiki.now_ms() OR (hold = 'callback' AND cancel_n > seen))
  LIMIT $1::int
  FOR UPDATE
),
${TAKE_DUE}`,
};

/** What `claimRuns` would take. */
export const dueRuns: Statement = {
  name: "due_runs",
  text: `
SELECT due.*, ${CLOCK} FROM (SELECT 1) one LEFT JOIN (
  (SELECT ns, run_id, due_at FROM aiki.actor WHERE hold IS NULL AND due_at <= (SELECT aiki.now_ms()) ORDER BY due_at LIMIT $1::int)
  UNION ALL
  (SELECT ns, run_id, due_at FROM aiki.actor
  WHERE hold IS NOT NULL AND due_at <= (SELECT aiki.now_ms())
    AND (lease_until < (SELECT aiki.now_ms()) OR (hold = 'callback' AND cancel_n > seen))
  ORDER BY due_at LIMIT $1::int)
  ORDER BY due_at LIMIT $1::int
) due ON true`,
};

/** A due time that lies in the past says nothing of a run that is held. */
export const wakesAt: Statement = {
  name: "wakes_at",
  text: `SELECT COALESCE(lease_until, due_at) AS at, ${CLOCK} FROM aiki.actor WHERE ns = $1 AND run_id = $2`,
};

/** Written out in the predicate of the index `actor_unserved`. */
export const IS_UNSERVED = `a.status = 'queued' AND a.hold IS NULL AND a.trouble LIKE '{"code":"WORKFLOW_NOT_SERVED"%'`;

/** The cold row of `a`, looked up for each: see `readRuns`. */
export const ITS_RUN = `SELECT workflow, version, pool FROM aiki.run WHERE ns = a.ns AND id = a.run_id OFFSET 0`;

/** Runs parked because nobody served them, oldest first, whether or not it is time to look at them again. */
export const claimUnserved: Statement = {
  name: "claim_unserved",
  text: `
WITH due AS MATERIALIZED (
  SELECT a.ns, a.run_id, a.status FROM aiki.actor a CROSS JOIN LATERAL (${ITS_RUN}) r
  WHERE a.ns = $3 AND ${IS_UNSERVED}
    AND (r.workflow, r.version, COALESCE(r.pool, '')) IN (SELECT * FROM unnest($4::text[], $5::text[], $6::text[]))
  ORDER BY a.run_id
  LIMIT $1::int
  FOR UPDATE OF a SKIP LOCKED
),
${TAKE_DUE}`,
};

/** One run as it stands, whoever holds it. */
export const loadRun: Statement = {
  name: "load_run",
  text: `
SELECT a.status, ${HELD_COLUMNS}, ${CLOCK}
FROM aiki.actor a JOIN aiki.run r ON r.ns = a.ns AND r.id = a.run_id
WHERE a.ns = $1 AND a.run_id = $2`,
};

export const readMail: Statement = {
  name: "read_mail",
  text: `
SELECT n, accepted_at AS at, kind, body, ${CLOCK} FROM aiki.mailbox
WHERE ns = $1 AND run_id = $2 AND n > $3::int ORDER BY n`,
};
