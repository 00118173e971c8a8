/** What the outside sees of a run in memory. */
import type { Run, RunSummary } from "@aikirun/protocol";
import { runAttemptOf } from "@aikirun/protocol/canonical";
import { waitsOfRun } from "../core/waits.js";
import type { Row } from "./memory-row.js";
import type { RunFilter, SampledRun } from "./port.js";

export function toSummary(row: Row): RunSummary {
  const { facts } = row;
  return {
    id: facts.id,
    workflow: facts.workflow,
    version: facts.version,
    status: row.status,
    ...(facts.reference === undefined ? {} : { reference: facts.reference }),
    ...(facts.parent ? { parent: facts.parent.id } : {}),
    ...(row.schedule === undefined ? {} : { schedule: row.schedule }),
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
    // A reference belongs to its scope: a child's to its parent, any other to the workflow version.
    (filter.reference === undefined || filter.parent !== undefined || facts.parent === undefined) &&
    (filter.parent === undefined || filter.parent === facts.parent?.id) &&
    (filter.schedule === undefined || filter.schedule === row.schedule) &&
    (filter.createdAfter === undefined || facts.createdAt > filter.createdAfter) &&
    (filter.createdBefore === undefined || facts.createdAt < filter.createdBefore) &&
    (filter.q === undefined || beginsWith(facts, filter.q))
  );
}

function beginsWith({ id, reference }: Row["facts"], q: string): boolean {
  return id.startsWith(q) || id.startsWith(`run_${q}`) || reference?.startsWith(q) === true;
}

export function countByVersion(rows: readonly Row[]): { workflow: string; version: string; count: number }[] {
  const counts = new Map<string, { workflow: string; version: string; count: number }>();
  for (const { facts } of rows) {
    const { workflow, version } = facts;
    const known = counts.get(`${workflow}@${version}`) ?? { workflow, version, count: 0 };
    counts.set(`${workflow}@${version}`, { ...known, count: known.count + 1 });
  }
  return [...counts.values()];
}

/** Equal parts of a version's runs, of which each gives one; a power of two. */
const PARTS = 1_024;

/** In the order that `postgres/sample-live.ts` explains. */
export function sample(rows: readonly Row[], limit: number): SampledRun[] {
  const versions = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.facts.workflow, row.facts.version]);
    versions.set(key, [...(versions.get(key) ?? []), row]);
  }
  const turns = [...versions].map(([key, runs]) => ({ key, runs: spread(runs) }));
  turns.sort((a, b) => (a.key < b.key ? -1 : 1));
  const longest = Math.max(0, ...turns.map(({ runs }) => runs.length));
  const chosen: Row[] = [];
  for (let turn = 0; turn < longest; turn++) chosen.push(...turns.flatMap(({ runs }) => runs[turn] ?? []));
  return chosen.slice(0, limit).map(toSampled);
}

function spread(rows: readonly Row[]): Row[] {
  const oldestFirst = rows.toSorted(
    (a, b) => a.facts.createdAt - b.facts.createdAt || (a.facts.id < b.facts.id ? -1 : 1),
  );
  const part = (place: number) => Math.floor((place * PARTS) / rows.length);
  return oldestFirst
    .map((row, place) => ({ row, place }))
    .filter(({ place }) => place === 0 || part(place) > part(place - 1))
    .map(({ row, place }) => ({ row, order: reversedBits(part(place)) }))
    .sort((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ row }) => row);
}

function reversedBits(part: number): string {
  return [...part.toString(2).padStart(Math.log2(PARTS), "0")].reverse().join("");
}

function toSampled({ facts, records }: Row): SampledRun {
  const history = records.map(({ key, value }) => key.length + JSON.stringify(value).length);
  const bytes = history.reduce((sum, size) => sum + size, JSON.stringify(facts.input ?? "").length);
  return { id: facts.id, workflow: facts.workflow, version: facts.version, records: records.length, bytes };
}
