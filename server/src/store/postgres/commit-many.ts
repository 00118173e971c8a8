/**
 * The commits of several runs in one statement, with the children that they start and the messages that they send.
 *
 * The caller sees to it that no run is both committed and messaged here: Postgres applies one of two updates of a row
 * per statement, silently. Every row is locked first, in one order for everybody; what was locked is the newest
 * version, and all decisions are made on it. Each row is locked by a query of its own (`LATERAL`): where one query locks
 * a join, Postgres checks the join again for a row that changed meanwhile, and with some plans finds it no more, so that
 * a good fence is called lost. Whatever is inserted comes from what the UPDATE or DELETE returned, so that a lost fence
 * writes nothing. It comes without a join where that can be: the planner expects one row of these and would compare all
 * with all.
 *
 * `late`: a child's end for a parent that has ended, which reads it when it is retried. A retry puts a message into the
 * same mailbox, so that the two can never miss each other: whoever comes second breaks the mailbox's key, and is sent
 * again.
 */
import { COUNT_LETTERS } from "./append-message.js";
import { CLOCK, type Statement } from "./connection.js";

const MESSAGES = `
message AS MATERIALIZED (
  SELECT m.*
  FROM unnest($28::int[], $29::int[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[])
    AS m(place, nth, ns, run_id, event_id, kind, body)
  WHERE 0 = (
    SELECT count(*) FROM aiki.mailbox b WHERE b.ns = m.ns AND b.run_id = m.run_id AND b.event_id = m.event_id
  )
),`;

const MESSAGES_AND_CHILDREN = `,
letter AS MATERIALIZED (
  SELECT m.*, l.mail_seq + row_number() OVER (PARTITION BY m.ns, m.run_id ORDER BY m.place, m.nth) AS n
  FROM message m
  JOIN done d ON d.place = m.place
  JOIN locked l ON l.ns = m.ns AND l.run_id = m.run_id
),
told AS (${COUNT_LETTERS}),
late AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT m.ns, m.run_id,
    (SELECT COALESCE(max(n), 0) FROM aiki.mailbox b WHERE b.ns = m.ns AND b.run_id = m.run_id)
      + row_number() OVER (PARTITION BY m.ns, m.run_id ORDER BY m.place, m.nth),
    aiki.now_ms(), m.event_id, m.kind, m.body
  FROM message m
  JOIN done d ON d.place = m.place
  WHERE m.kind = 'child' AND 0 = (SELECT count(*) FROM locked l WHERE l.ns = m.ns AND l.run_id = m.run_id)
    AND EXISTS (SELECT FROM aiki.run r WHERE r.ns = m.ns AND r.id = m.run_id)
),
put AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT t.ns, t.run_id, l.n, aiki.now_ms(), l.event_id, l.kind, l.body
  FROM told t CROSS JOIN LATERAL unnest(t.n, t.event_id, t.kind, t.body) AS l(n, event_id, kind, body)
),
born AS MATERIALIZED (
  SELECT d.ns, d.run_id AS parent_id, d.epoch, c.*, aiki.now_ms() AS now
  FROM unnest(
    $35::int[], $36::text[], $37::text[], $38::text[], $39::text[], $40::text[], $41::text[], $42::text[],
    $43::bigint[], $44::text[], $45::text[], $46::bigint[]
  ) AS c(
    place, id, parent_key, workflow, version, input, reference, retry,
    timeout_ms, pool, request_hash, delay_ms
  )
  JOIN done d ON d.place = c.place
  WHERE 0 = (
    SELECT count(*) FROM aiki.child x WHERE x.ns = d.ns AND x.parent_id = d.run_id AND x.key = c.parent_key
  )
),
named AS (
  INSERT INTO aiki.child (ns, parent_id, key, run_id) SELECT ns, parent_id, parent_key, id FROM born
),
made AS (
  INSERT INTO aiki.run (
    ns, id, workflow, version, created_at, timed_from, input, reference, retry, timeout_ms, pool, parent_id, parent_key,
    request_hash
  )
  SELECT ns, id, workflow, version, now, now + COALESCE(delay_ms, 0), input, reference, retry, timeout_ms, pool,
    parent_id, parent_key, request_hash
  FROM born
),
acting AS (
  INSERT INTO aiki.actor (ns, run_id, epoch, gen, tries, due_at, start_at, status)
  SELECT ns, id, epoch, 0, 0, now + COALESCE(delay_ms, 0), CASE WHEN delay_ms > 0 THEN now + delay_ms END,
    CASE WHEN delay_ms > 0 THEN 'scheduled' ELSE 'queued' END
  FROM born
)`;

function commits(name: string, keys: string, before: string, after: string): Statement {
  return {
    name,
    text: `
WITH input AS MATERIALIZED (
  SELECT * FROM unnest(
    $1::int[], $2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::text[], $8::int[], $9::text[],
    $10::boolean[], $11::text[], $12::boolean[], $13::text[], $14::bigint[], $15::bigint[],
    $16::boolean[], $17::text[], $18::text[], $19::text[], $20::text[], $21::bigint[], $22::boolean[]
  ) AS i(
    place, ns, run_id, epoch, gen, seq, commit_id, seen, queued,
    paused, trouble, progress, status, lease_ms, due_at,
    ends, output, error, failed_task, reason, start_at, retakes
  )
),${before}
locked AS MATERIALIZED (
  SELECT a.*
  FROM (${keys} ORDER BY ns, run_id) k
  CROSS JOIN LATERAL (
    SELECT ns, run_id, epoch, gen, seq, lease_until, ctl_n, mail_seq FROM aiki.actor
    WHERE ns = k.ns AND run_id = k.run_id FOR UPDATE
  ) a
),
mine AS MATERIALIZED (
  SELECT i.*, l.mail_seq, i.ends AND l.ctl_n > i.seen AS unread
  FROM input i JOIN locked l ON l.ns = i.ns AND l.run_id = i.run_id
  WHERE l.epoch = i.epoch AND l.gen = i.gen AND l.seq = i.seq AND l.lease_until IS NOT NULL
),
fit AS MATERIALIZED (SELECT * FROM mine WHERE NOT unread),
kept AS (
  UPDATE aiki.actor a SET
    seq = a.seq + 1,
    seen = d.seen,
    queued = d.queued::int[],
    paused = d.paused,
    start_at = d.start_at,
    trouble = d.trouble,
    last_commit = d.commit_id,
    tries = CASE WHEN d.progress THEN 0 ELSE a.tries END,
    status = d.status,
    hold = CASE WHEN d.retakes THEN 'push' WHEN d.lease_ms IS NOT NULL THEN COALESCE(a.hold, 'push') END,
    lease_until = CASE
      WHEN a.hold = 'callback' AND d.lease_ms IS NOT NULL AND NOT d.retakes
      THEN GREATEST(a.lease_until, aiki.now_ms() + d.lease_ms)
      ELSE aiki.now_ms() + d.lease_ms
    END,
    due_at = CASE
      WHEN d.lease_ms IS NOT NULL THEN LEAST(a.due_at, aiki.now_ms())
      WHEN a.mail_seq > d.seen THEN aiki.now_ms()
      ELSE d.due_at
    END
  FROM fit d
  WHERE a.ns = d.ns AND a.run_id = d.run_id AND NOT d.ends
  RETURNING d.*
),
gone AS (
  DELETE FROM aiki.actor a USING fit d WHERE a.ns = d.ns AND a.run_id = d.run_id AND d.ends RETURNING d.*
),
done AS MATERIALIZED (SELECT * FROM kept UNION ALL SELECT * FROM gone),
ended AS (
  UPDATE aiki.run r SET status = d.status, ended_at = aiki.now_ms(), output = d.output, error = d.error,
    failed_task = d.failed_task, reason = d.reason, end_gen = d.gen, last_commit = d.commit_id, end_seen = d.seen,
    end_queued = d.queued::int[]
  FROM gone d
  WHERE r.ns = d.ns AND r.id = d.run_id
),
recorded AS (
  INSERT INTO aiki.record (ns, run_id, n, gen, at, kind, key, value)
  SELECT d.ns, d.run_id, r.n, d.gen, aiki.now_ms(), r.kind, r.key, r.value
  FROM unnest($23::int[], $24::int[], $25::text[], $26::text[], $27::text[]) AS r(place, n, kind, key, value)
  JOIN done d ON d.place = r.place
)${after}
SELECT m.*, ${CLOCK}
FROM (SELECT 1) one LEFT JOIN (
  SELECT place, mail_seq, unread FROM done UNION ALL SELECT place, mail_seq, unread FROM mine WHERE unread
) m ON true`,
  };
}

/** No commit of the batch has messages or children. */
export const commitPlain = commits("commit_plain", "SELECT ns, run_id FROM input", "", "");

export const commitMany = commits(
  "commit_many",
  "SELECT ns, run_id FROM input UNION SELECT ns, run_id FROM message",
  MESSAGES,
  MESSAGES_AND_CHILDREN,
);
