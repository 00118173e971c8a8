/** What the holder of a generation does to its lease. Each is fenced by the generation. */
import { IS_UNSERVED, ITS_RUN } from "./claim-runs.js";
import { CLOCK, type Statement } from "./connection.js";

/** What a claim may take over as soon as a cancel waits. */
export const holdForCallback: Statement = {
  name: "hold_for_callback",
  text: `
UPDATE aiki.actor SET lease_until = aiki.now_ms() + $4::bigint, hold = 'callback'
WHERE ns = $1 AND run_id = $2 AND gen = $3::int AND lease_until IS NOT NULL
RETURNING ${CLOCK}`,
};

export const bumpGeneration: Statement = {
  name: "bump_generation",
  text: `
UPDATE aiki.actor SET gen = gen + 1, tries = tries + 1, lease_until = aiki.now_ms() + $4::bigint
WHERE ns = $1 AND run_id = $2 AND gen = $3::int AND lease_until IS NOT NULL
RETURNING gen, seq, tries, mail_seq, ${CLOCK}`,
};

export const releaseLease: Statement = {
  name: "release_lease",
  text: `
UPDATE aiki.actor SET lease_until = NULL, hold = NULL, due_at = LEAST(due_at, aiki.now_ms()),
  status = CASE WHEN status = 'running' THEN 'queued' ELSE status END
WHERE ns = $1 AND run_id = $2 AND gen = $3::int AND lease_until IS NOT NULL
RETURNING ${CLOCK}`,
};

/** The commit that a run made last, also when it was the one that ended it. */
export const lastCommit: Statement = {
  name: "last_commit",
  text: `
SELECT COALESCE(a.gen, r.end_gen) AS gen, COALESCE(a.last_commit, r.last_commit) AS last_commit, ${CLOCK}
FROM aiki.run r LEFT JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id
WHERE r.ns = $1 AND r.id = $2`,
};

/** Parked runs of these versions whose last trouble was that nobody served them, but for those that wait for a worker's pool. */
export const wakeUnserved: Statement = {
  name: "wake_unserved",
  text: `
WITH waiting AS MATERIALIZED (
  SELECT a.ns, a.run_id FROM aiki.actor a CROSS JOIN LATERAL (${ITS_RUN}) r
  WHERE a.ns = $1 AND ${IS_UNSERVED} AND r.pool IS NULL
    AND (r.workflow, r.version) IN (SELECT * FROM unnest($2::text[], $3::text[]))
  ORDER BY a.ns, a.run_id
  FOR UPDATE OF a
),
woken AS (
  UPDATE aiki.actor a SET due_at = LEAST(a.due_at, aiki.now_ms()) FROM waiting w
  WHERE a.ns = w.ns AND a.run_id = w.run_id
  RETURNING 1
)
SELECT (SELECT count(*) FROM woken) AS woken, ${CLOCK}`,
};

export const nextDueAt: Statement = {
  name: "next_due_at",
  text: `
SELECT (
  SELECT due_at FROM aiki.actor WHERE hold IS NULL AND due_at > (SELECT aiki.now_ms()) ORDER BY due_at LIMIT 1
) AS due_at, ${CLOCK}`,
};
