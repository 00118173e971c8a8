/** One control message to every live run that a filter names, a page of runs in each statement. */
import { and, desc, eq, inArray, lt, type SQL, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import { PgDialect } from "drizzle-orm/pg-core";
import type { RunStore } from "../port.js";
import { CONTROL_KINDS } from "./append-message.js";
import { retryDuplicates } from "./appends.js";
import { CLOCK, type Connection, type Value } from "./connection.js";
import { conditions, liveStatuses, sameRun } from "./queries.js";
import { actor, run } from "./schema.js";

type AppendWhere = RunStore["appendWhere"];

export function appendsWhere(connection: Connection, db: NodePgDatabase): AppendWhere {
  const dialect = new PgDialect();
  return async (where, message) => {
    const query = dialect.sqlToQuery(statement(db, where, message));
    // Its text depends on the filter, so that it has no name to be prepared under.
    const text = { name: undefined, text: query.sql };
    const [row] = await retryDuplicates(() => connection.run(text, query.params as Value[]));
    const found = row?.["found"] as number;
    const runIds = (row?.["run_ids"] as string[] | null) ?? [];
    return {
      runIds,
      duplicates: (row?.["held"] as number) - runIds.length,
      cursor: found < where.limit ? undefined : (row?.["last"] as string),
    };
  };
}

/**
 * The filter chooses on the statement's snapshot. What it chose is locked in the order that everybody locks in, and
 * asked for its status again: a run that has ended since, or is in another status now, gets nothing.
 */
function statement(
  db: NodePgDatabase,
  { ns, filter, cursor, limit }: Parameters<AppendWhere>[0],
  { eventId, body }: Parameters<AppendWhere>[1],
): SQL {
  const page = db
    .select({ ns: actor.ns, run_id: actor.runId })
    .from(actor)
    .innerJoin(run, sameRun)
    .where(and(eq(actor.ns, ns), cursor === undefined ? undefined : lt(actor.runId, cursor), ...conditions(filter)))
    .orderBy(desc(actor.runId))
    .limit(limit);
  const still = filter.status ? sql`AND ${inArray(actor.status, liveStatuses(filter.status))}` : sql``;
  const kind = sql`${body.kind}::text`;
  return sql`
WITH page AS MATERIALIZED (${page.getSQL()}),
locked AS MATERIALIZED (
  SELECT l.*
  FROM (SELECT ns, run_id FROM page ORDER BY ns, run_id) k
  CROSS JOIN LATERAL (
    SELECT ns, run_id, mail_seq FROM aiki.actor WHERE ns = k.ns AND run_id = k.run_id ${still} FOR UPDATE
  ) l
),
letter AS MATERIALIZED (
  SELECT ns, run_id, mail_seq + 1 AS n, ${kind} AS kind FROM locked l
  WHERE 0 = (
    SELECT count(*) FROM aiki.mailbox m WHERE m.ns = l.ns AND m.run_id = l.run_id AND m.event_id = ${eventId}
  )
),
counted AS (
  UPDATE aiki.actor a SET
    mail_seq = s.n,
    due_at = LEAST(a.due_at, aiki.now_ms()),
    ctl_n = CASE WHEN s.kind IN ${sql.raw(CONTROL_KINDS)} THEN s.n ELSE a.ctl_n END,
    cancel_n = CASE WHEN s.kind = 'cancel' THEN s.n ELSE a.cancel_n END
  FROM letter s
  WHERE a.ns = s.ns AND a.run_id = s.run_id
  RETURNING s.*
),
put AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT ns, run_id, n, aiki.now_ms(), ${eventId}, kind, ${JSON.stringify(body)} FROM counted
)
SELECT (SELECT count(*) FROM page) AS found, (SELECT min(run_id) FROM page) AS last,
  (SELECT count(*) FROM locked) AS held, (SELECT array_agg(run_id) FROM counted) AS run_ids, ${sql.raw(CLOCK)}`;
}
