/** What people and the API ask about runs. Ordinary queries: correct first, on the indexes that `migrations/` has. */
import type { RunStatus, TerminalStatus } from "@aikirun/protocol";
import { and, asc, count, eq, gt, inArray, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { RunFilter, RunQueries, SampledRun } from "../port.js";
import type { Connection } from "./connection.js";
import { countByStatus, countUnserved } from "./count-runs.js";
import { runReader } from "./get-run.js";
import { listRuns } from "./list-runs.js";
import { readHistory } from "./read-history.js";
import { type FactsRow, toFacts, toSummary } from "./rows.js";
import { readFacts, sampleLive } from "./sample-live.js";
import { actor, run } from "./schema.js";

/** Most runs read by one statement. */
const MAX_MERGED = 64;
/** Live runs, from either end, that a sample is taken from. */
const SAMPLED_FROM = 50_000;
/** Records of one run whose sizes are added up; no history of more fits into a push. */
const SIZED_RECORDS = 50_000;
const ENDED: readonly RunStatus[] = ["completed", "failed", "cancelled"];

const status = sql<RunStatus>`coalesce(${run.status}, ${actor.status})`.as("current_status");
const summary = {
  id: run.id,
  workflow: run.workflow,
  version: run.version,
  status,
  reference: run.reference,
  parentId: run.parentId,
  scheduleId: run.scheduleId,
  createdAt: run.createdAt,
  endedAt: run.endedAt,
};
/** Joins a run and its actor. */
export const sameRun = and(eq(actor.ns, run.ns), eq(actor.runId, run.id));

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

    listRuns: (ns, filter, cursor, limit) => listRuns(connection, ns, filter, cursor, limit),

    readHistory: (ns, runId, after, limit, maxBytes) => readHistory(connection, ns, runId, after, limit, maxBytes),

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

    async countByStatus(ns, most) {
      const rows = await connection.run(countByStatus, [ns, most + 1]);
      return (rows as unknown as readonly { status: RunStatus; n: number }[]).map(({ status, n }) => {
        return { status, count: Math.min(n, most), more: n > most };
      });
    },

    countUnserved: async (ns, most) =>
      (await connection.run(countUnserved, [ns, most])) as unknown as Awaited<ReturnType<RunQueries["countUnserved"]>>,

    async sampleLive(ns, versions, limit) {
      const [workflows, ids] = [versions.map(({ workflow }) => workflow), versions.map(({ version }) => version)];
      const rows = await connection.run(sampleLive, [ns, workflows, ids, limit, SAMPLED_FROM, SIZED_RECORDS]);
      return rows.map((row) => ({
        ...(row as unknown as SampledRun),
        bytes: (row["bytes"] as number | null) ?? undefined,
      }));
    },

    async readFacts(ns, runId) {
      const [row] = await connection.run(readFacts, [ns, runId]);
      return row && toFacts(row as unknown as FactsRow);
    },
  };
}

/** What a filter asks of a run that is joined with its actor. */
export function conditions(filter: RunFilter): (SQL | undefined)[] {
  const { workflow, version, reference, parent, schedule, createdAfter, createdBefore } = filter;
  return [
    filter.status && hasStatus(filter.status),
    workflow === undefined ? undefined : eq(run.workflow, workflow),
    version === undefined ? undefined : eq(run.version, version),
    reference === undefined ? undefined : eq(run.reference, reference),
    // A reference belongs to its scope: a child's to its parent, any other to the workflow version.
    reference === undefined || parent !== undefined ? undefined : isNull(run.parentId),
    parent === undefined ? undefined : eq(run.parentId, parent),
    schedule === undefined ? undefined : eq(run.scheduleId, schedule),
    createdAfter === undefined ? undefined : gt(run.createdAt, createdAfter),
    createdBefore === undefined ? undefined : lt(run.createdAt, createdBefore),
  ];
}

/** Each half on its own column, so that its index serves when only one is asked for. */
function hasStatus(wanted: readonly RunStatus[]): SQL | undefined {
  const ended = wanted.filter((one): one is TerminalStatus => ENDED.includes(one));
  const live = liveStatuses(wanted);
  if (wanted.length === 0) return sql`false`;
  return or(
    ended.length > 0 ? inArray(run.status, ended) : undefined,
    live.length > 0 ? inArray(actor.status, live) : undefined,
  );
}

export function liveStatuses(statuses: readonly RunStatus[]): Exclude<RunStatus, TerminalStatus>[] {
  return statuses.filter((one): one is Exclude<RunStatus, TerminalStatus> => !ENDED.includes(one));
}
