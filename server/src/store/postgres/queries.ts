/** What people and the API ask about runs. Ordinary queries: correct first, on the indexes that `migrations/` has. */
import type { HistoryRecord, RunStatus, TerminalStatus } from "@aikirun/protocol";
import { and, asc, count, desc, eq, gt, inArray, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { RunFilter, RunQueries } from "../port.js";
import type { Connection } from "./connection.js";
import { runReader } from "./get-run.js";
import { toRecord, toSummary } from "./rows.js";
import { actor, record, run } from "./schema.js";

/** Most runs read by one statement. */
const MAX_MERGED = 64;
const ENDED: readonly RunStatus[] = ["completed", "failed", "cancelled"];

const status = sql<RunStatus>`coalesce(${run.status}, ${actor.status})`.as("current_status");
const summary = {
  id: run.id,
  workflow: run.workflow,
  version: run.version,
  status,
  reference: run.reference,
  parentId: run.parentId,
  createdAt: run.createdAt,
  endedAt: run.endedAt,
};
const sameRun = and(eq(actor.ns, run.ns), eq(actor.runId, run.id));

export function runQueries(connection: Connection, db: NodePgDatabase): RunQueries {
  const ask: Connection["ask"] = (query) => connection.ask(query);
  return {
    getRun: runReader(connection, MAX_MERGED),

    async findByReference(ns, workflow, version, reference) {
      const named = and(eq(run.workflow, workflow), eq(run.version, version), eq(run.reference, reference));
      const [row] = await ask(() =>
        db
          .select(summary)
          .from(run)
          .leftJoin(actor, sameRun)
          .where(and(eq(run.ns, ns), named, isNull(run.parentId))),
      );
      return row && toSummary(row);
    },

    async versionsOf(ns, runIds) {
      const known = and(eq(run.ns, ns), inArray(run.id, [...new Set(runIds)]));
      const rows = await ask(() =>
        db.select({ id: run.id, workflow: run.workflow, version: run.version }).from(run).where(known),
      );
      return new Map(rows.map(({ id, ...version }) => [id, version]));
    },

    async listRuns(ns, filter, cursor, limit) {
      const where = and(eq(run.ns, ns), cursor === undefined ? undefined : lt(run.id, cursor), ...conditions(filter));
      const rows = await ask(() =>
        db.select(summary).from(run).leftJoin(actor, sameRun).where(where).orderBy(desc(run.id)).limit(limit),
      );
      return rows.map(toSummary);
    },

    readHistory: (ns, runId, after, limit) => ask(() => readHistory(db, ns, runId, after, limit)),

    countLive: (ns) =>
      ask(() =>
        db
          .select({ workflow: run.workflow, version: run.version, live: count() })
          .from(actor)
          .innerJoin(run, sameRun)
          .where(eq(actor.ns, ns))
          .groupBy(run.workflow, run.version)
          .orderBy(asc(run.workflow), asc(run.version)),
      ),
  };
}

function conditions(filter: RunFilter): (SQL | undefined)[] {
  const { workflow, version, reference, parent, createdAfter, createdBefore } = filter;
  return [
    filter.status && hasStatus(filter.status),
    workflow === undefined ? undefined : eq(run.workflow, workflow),
    version === undefined ? undefined : eq(run.version, version),
    reference === undefined ? undefined : eq(run.reference, reference),
    parent === undefined ? undefined : eq(run.parentId, parent),
    createdAfter === undefined ? undefined : gt(run.createdAt, createdAfter),
    createdBefore === undefined ? undefined : lt(run.createdAt, createdBefore),
  ];
}

/** Each half on its own column, so that its index serves when only one is asked for. */
function hasStatus(wanted: readonly RunStatus[]): SQL | undefined {
  const ended = wanted.filter((one): one is TerminalStatus => ENDED.includes(one));
  const live = wanted.filter((one): one is Exclude<RunStatus, TerminalStatus> => !ENDED.includes(one));
  if (wanted.length === 0) return sql`false`;
  return or(
    ended.length > 0 ? inArray(run.status, ended) : undefined,
    live.length > 0 ? inArray(actor.status, live) : undefined,
  );
}

async function readHistory(
  db: NodePgDatabase,
  ns: string,
  runId: string,
  after: number,
  limit: number,
): Promise<(HistoryRecord & { readonly at: number })[] | undefined> {
  const rows = await db
    .select({ n: record.n, kind: record.kind, key: record.key, value: record.value, at: record.at })
    .from(record)
    .where(and(eq(record.ns, ns), eq(record.runId, runId), gt(record.n, after)))
    .orderBy(asc(record.n))
    .limit(limit);
  if (rows.length > 0) return rows.map((row) => ({ ...toRecord(row), at: row.at }));
  const [known] = await db
    .select({ id: run.id })
    .from(run)
    .where(and(eq(run.ns, ns), eq(run.id, runId)));
  return known ? [] : undefined;
}
