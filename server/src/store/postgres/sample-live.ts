/** Chooses runs in flight to try new code on. */
import type { Statement } from "./connection.js";

/**
 * Looks at the oldest and the newest `$5` live runs, so that its cost is bounded. Of each version it takes at most one
 * run from each of 1,024 equal parts of what it looked at, and orders the parts by their bits reversed: any beginning of
 * that order is spread evenly from old to new. Versions take turns, so that a rare one is not crowded out.
 *
 * Record numbers have no gaps, so that the last one counts them; the sizes of more than `$6` are not added up.
 */
export const sampleLive: Statement = {
  name: "sample_live",
  text: `
WITH ends AS (
  (SELECT run_id FROM aiki.actor WHERE ns = $1 AND seq > 0 ORDER BY run_id LIMIT $5::int)
  UNION
  (SELECT run_id FROM aiki.actor WHERE ns = $1 AND seq > 0 ORDER BY run_id DESC LIMIT $5::int)
),
live AS (
  SELECT r.id, r.workflow, r.version,
    row_number() OVER (PARTITION BY r.workflow, r.version ORDER BY r.created_at, r.id) - 1 AS place,
    count(*) OVER (PARTITION BY r.workflow, r.version) AS of
  FROM ends e JOIN aiki.run r ON r.ns = $1 AND r.id = e.run_id
  WHERE (r.workflow, r.version) IN (SELECT * FROM unnest($2::text[], $3::text[]))
),
spread AS (
  SELECT id, workflow, version, row_number() OVER (
    PARTITION BY workflow, version ORDER BY reverse((place * 1024 / of)::int::bit(10)::text) COLLATE "C"
  ) AS turn
  FROM live
  WHERE place = 0 OR place * 1024 / of > (place - 1) * 1024 / of
),
chosen AS MATERIALIZED (SELECT * FROM spread ORDER BY turn, workflow, version LIMIT $4::int)
SELECT c.id, c.workflow, c.version, h.records,
  coalesce(octet_length(r.input), 0) + CASE WHEN h.records <= $6::int THEN (
    SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0) FROM aiki.record WHERE ns = $1 AND run_id = c.id
  ) END AS bytes
FROM chosen c
JOIN aiki.run r ON r.ns = $1 AND r.id = c.id
CROSS JOIN LATERAL (SELECT coalesce(max(n), 0) AS records FROM aiki.record WHERE ns = $1 AND run_id = c.id) h
ORDER BY c.turn, c.workflow, c.version`,
};

export const readFacts: Statement = {
  name: "read_facts",
  text: `
SELECT r.ns, r.id AS run_id, r.workflow, r.version, r.input, r.created_at, r.timed_from, r.reference, r.retry, r.timeout_ms,
  r.pool, r.parent_id, r.parent_key
FROM aiki.run r WHERE r.ns = $1 AND r.id = $2`,
};
