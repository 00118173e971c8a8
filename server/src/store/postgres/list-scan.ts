/** Where a page of runs is looked for: ids below the cursor, newest first, from one index or a few together. */
import type { RunStatus } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import type { RunFilter } from "../port.js";
import type { Value } from "./connection.js";

/** Runs that one page looks at. */
export const SCANNED = LIMITS.scannedRuns;
const ENDED: ReadonlySet<RunStatus> = new Set(["completed", "failed", "cancelled"]);

/** A statement's values: `$1` is the namespace. */
export interface ListQuery {
  readonly values: Value[];
  /** Condition on an id; empty for the first page. */
  below(column: string): string;
  /** Gives a value its place. */
  add(value: Value): string;
}

export function listQuery(ns: string, cursor: string | undefined): ListQuery {
  const values: Value[] = [ns];
  const add = (value: Value) => `$${values.push(value)}`;
  return { values, add, below: (column) => (cursor === undefined ? "" : ` AND ${column} < ${add(cursor)}`) };
}

/** What an index that is not in the order of ids says of a filter. */
export interface Span {
  /** All of it is few enough to be sorted. */
  readonly narrow?: (query: ListQuery) => string;
  /** Further scans that belong to it. */
  readonly ids?: (query: ListQuery) => string[];
  /** Where the first page begins. */
  readonly cursor?: string;
}

/** A statement that gives `id`, at most `SCANNED` of them, newest first. */
export function scanOf(query: ListQuery, filter: RunFilter, { narrow, ids }: Span): string {
  const { parent, reference, schedule, workflow, status } = filter;
  const byRun = (column: string, value: string) => ordered(query, "aiki.run", "id", `${column} = ${query.add(value)}`);
  if (parent !== undefined) return byRun("parent_id", parent);
  if (reference !== undefined) return byRun("reference", reference);
  if (schedule !== undefined) return byRun("schedule_id", schedule);
  if (narrow) return union([narrow(query), ...(ids?.(query) ?? [])]);
  if (status) return union([...new Set(status)].map((one) => byStatus(query, one)));
  if (workflow !== undefined) return byRun("workflow", workflow);
  return ordered(query, "aiki.run", "id", "true");
}

/** From an index that leads with the namespace and what `where` asks for, and goes on with the id. */
export function ordered(query: ListQuery, table: string, id: string, where: string): string {
  return `SELECT ${id} AS id FROM ${table} WHERE ns = $1 AND ${where}${query.below(id)} ORDER BY ${id} DESC LIMIT ${SCANNED}`;
}

/** From an index in another order: all of it, and then sorted. */
export function within(query: ListQuery, where: string): string {
  const all = `SELECT id FROM aiki.run WHERE ns = $1 AND ${where} OFFSET 0`;
  return `SELECT id FROM (${all}) w WHERE true${query.below("id")} ORDER BY id DESC LIMIT ${SCANNED}`;
}

/** Statuses are written out, so that the planner can tell which index has them. */
function byStatus(query: ListQuery, status: RunStatus): string {
  if (ENDED.has(status)) return ordered(query, "aiki.run", "id", `status = '${status}'`);
  if (status !== "running")
    return ordered(query, "aiki.actor", "run_id", `status = '${status}' AND status <> 'running'`);
  // Few, and in an index that is not in the order of ids.
  const held = `SELECT run_id FROM aiki.actor WHERE ns = $1 AND hold IS NOT NULL AND due_at > 0 AND status = 'running' OFFSET 0`;
  return `SELECT run_id AS id FROM (${held}) h WHERE true${query.below("run_id")} ORDER BY run_id DESC LIMIT ${SCANNED}`;
}

function union(scans: readonly string[]): string {
  if (scans.length === 1) return scans[0] as string;
  return `SELECT id FROM (${scans.map((scan) => `(${scan})`).join(" UNION ")}) u ORDER BY id DESC LIMIT ${SCANNED}`;
}
