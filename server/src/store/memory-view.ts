/** What the outside sees of a run in memory. */
import type { Run, RunSummary } from "@aikirun/protocol";
import { waitsOfRun } from "../core/waits.js";
import { type Row, runAttemptOf } from "./memory-row.js";
import type { RunFilter } from "./port.js";

export function toSummary(row: Row): RunSummary {
  const { facts } = row;
  return {
    id: facts.id,
    workflow: facts.workflow,
    version: facts.version,
    status: row.status,
    ...(facts.reference === undefined ? {} : { reference: facts.reference }),
    ...(facts.parent ? { parent: facts.parent.id } : {}),
    createdAt: facts.createdAt,
    ...(row.end ? { endedAt: row.end.endedAt } : {}),
  };
}

export function toRun(row: Row): Run {
  const { facts, end } = row;
  const parked = !end && row.leaseUntil === null;
  return {
    ...toSummary(row),
    ...(facts.input === undefined ? {} : { input: facts.input }),
    ...(end?.output === undefined ? {} : { output: end.output }),
    ...(end?.error === undefined ? {} : { error: end.error }),
    ...(end?.failedTask === undefined ? {} : { failedTask: end.failedTask }),
    ...(end?.reason === undefined ? {} : { reason: end.reason }),
    runAttempt: runAttemptOf(row.records),
    records: row.records.length,
    ...(parked && row.dueAt !== null ? { nextAt: row.dueAt } : {}),
    waitsFor: end ? [] : waitsOfRun(row.records, facts, row.trouble),
    ...(row.trouble ? { trouble: row.trouble } : {}),
  };
}

export function matches(row: Row, filter: RunFilter): boolean {
  const { facts } = row;
  return (
    (filter.status === undefined || filter.status.includes(row.status)) &&
    (filter.workflow === undefined || filter.workflow === facts.workflow) &&
    (filter.version === undefined || filter.version === facts.version) &&
    (filter.reference === undefined || filter.reference === facts.reference) &&
    (filter.parent === undefined || filter.parent === facts.parent?.id) &&
    (filter.createdAfter === undefined || facts.createdAt > filter.createdAfter) &&
    (filter.createdBefore === undefined || facts.createdAt < filter.createdBefore)
  );
}
