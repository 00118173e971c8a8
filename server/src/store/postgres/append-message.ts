/** Appends to mailboxes: no decision, so that it can race with anything. */
import { HELD_COLUMNS } from "./claim-runs.js";
import { CLOCK, type Statement } from "./connection.js";
import { pastOf } from "./read-runs.js";

/** Message kinds that a terminal commit must have read. */
export const CONTROL_KINDS = "('cancel', 'pause', 'resume')";

/** Counts the rows of `letter`, numbered messages, on their runs. Gives one row for each run. */
export const COUNT_LETTERS = `
  UPDATE aiki.actor a SET
    mail_seq = s.last_n,
    due_at = LEAST(a.due_at, aiki.now_ms()),
    ctl_n = GREATEST(a.ctl_n, s.ctl_n),
    cancel_n = GREATEST(a.cancel_n, s.cancel_n)
  FROM (
    SELECT ns, run_id, max(n) AS last_n, max(n) FILTER (WHERE kind IN ${CONTROL_KINDS}) AS ctl_n,
      max(n) FILTER (WHERE kind = 'cancel') AS cancel_n,
      array_agg(n) AS n, array_agg(event_id) AS event_id, array_agg(kind) AS kind, array_agg(body) AS body
    FROM letter GROUP BY ns, run_id
  ) s
  WHERE a.ns = s.ns AND a.run_id = s.run_id
  RETURNING s.*
`;

/**
 * One message. The number comes from the row's own counter in the same statement: a sequence's numbers would commit out
 * of order. A duplicate event id breaks the unique key and so rolls back the count with it. `$7`: how long to lease the
 * run for when it is suspended and nobody holds it; null: not at all.
 */
export const appendMessage: Statement = {
  name: "append_message",
  text: `
WITH free AS MATERIALIZED (
  SELECT ns, run_id, $7::bigint IS NOT NULL AND hold IS NULL AND status = 'suspended' AS taken FROM aiki.actor
  WHERE ns = $1 AND run_id = $2 AND ($4 <> 'event' OR mail_seq - seen + cardinality(queued) < $6::int)
  FOR UPDATE
),
a AS (
  UPDATE aiki.actor SET
    mail_seq = mail_seq + 1,
    due_at = LEAST(due_at, aiki.now_ms()),
    ctl_n = CASE WHEN $4 IN ${CONTROL_KINDS} THEN mail_seq + 1 ELSE ctl_n END,
    cancel_n = CASE WHEN $4 = 'cancel' THEN mail_seq + 1 ELSE cancel_n END,
    epoch = CASE WHEN taken THEN (SELECT epoch FROM aiki.meta) ELSE epoch END,
    gen = gen + taken::int,
    tries = tries + taken::int,
    lease_until = CASE WHEN taken THEN aiki.now_ms() + $7 ELSE lease_until END,
    hold = CASE WHEN taken THEN 'push' ELSE hold END,
    status = CASE WHEN taken THEN 'running' ELSE status END
  FROM free
  WHERE actor.ns = free.ns AND actor.run_id = free.run_id
  RETURNING actor.*, taken
),
put AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT ns, run_id, mail_seq, aiki.now_ms(), $3, $4, $5 FROM a
  RETURNING n, accepted_at
)
SELECT put.n AS appended, put.accepted_at, a.taken, 'suspended' AS status, ${HELD_COLUMNS}, past.*, ${CLOCK}
FROM (SELECT 1) one LEFT JOIN (
  put CROSS JOIN a LEFT JOIN aiki.run r ON a.taken AND r.ns = a.ns AND r.id = a.run_id ${pastOf("a", 1)}
) ON true`,
};

/**
 * Several messages, several of them perhaps to one run: counted per run, numbered in the order of the calls. Duplicates
 * are counted, not joined: a join planned while the table is small would read all of it ever after.
 */
export const appendMessages: Statement = {
  name: "append_messages",
  text: `
WITH input AS MATERIALIZED (
  SELECT i.*
  FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
    AS i(place, ns, run_id, event_id, kind, body, max_queued)
  WHERE 0 = (
    SELECT count(*) FROM aiki.mailbox m WHERE m.ns = i.ns AND m.run_id = i.run_id AND m.event_id = i.event_id
  )
),
locked AS MATERIALIZED (
  SELECT a.*
  FROM (SELECT DISTINCT ns, run_id FROM input ORDER BY ns, run_id) k
  CROSS JOIN LATERAL (
    SELECT ns, run_id, mail_seq, mail_seq - seen + cardinality(queued) AS waiting FROM aiki.actor
    WHERE ns = k.ns AND run_id = k.run_id FOR UPDATE
  ) a
),
accepted AS (
  SELECT i.*, l.mail_seq
  FROM (SELECT *, row_number() OVER (PARTITION BY ns, run_id ORDER BY place) AS nth FROM input) i
  JOIN locked l ON l.ns = i.ns AND l.run_id = i.run_id
  WHERE i.kind <> 'event' OR l.waiting + i.nth <= i.max_queued
),
letter AS MATERIALIZED (
  SELECT *, mail_seq + row_number() OVER (PARTITION BY ns, run_id ORDER BY place) AS n FROM accepted
),
counted AS (${COUNT_LETTERS}),
put AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT c.ns, c.run_id, l.n, aiki.now_ms(), l.event_id, l.kind, l.body
  FROM counted c CROSS JOIN LATERAL unnest(c.n, c.event_id, c.kind, c.body) AS l(n, event_id, kind, body)
)
SELECT l.place, l.n, ${CLOCK} FROM (SELECT 1) one LEFT JOIN letter l ON true`,
};

/** Why a message was not appended. */
export const explainAppend: Statement = {
  name: "explain_append",
  text: `
SELECT r.status, a.run_id IS NOT NULL AS live,
  EXISTS (SELECT FROM aiki.mailbox m WHERE m.ns = $1 AND m.run_id = $2 AND m.event_id = $3) AS duplicate,
  COALESCE(a.mail_seq - a.seen + cardinality(a.queued) >= $4::int, false) AS full, ${CLOCK}
FROM aiki.run r LEFT JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id
WHERE r.ns = $1 AND r.id = $2`,
};
