/** The checker: what must hold of a database and of the app's log once every run has ended, whatever happened before. */
import type pg from "pg";
import { orphansInPostgres } from "../../server/test/store/orphans.js";
import { countBy, type LogEntry, startsIn } from "./side-effects.js";
import { type ChainInput, chainResult } from "./workflows.js";

/** A run that was acknowledged, and what it was started with. */
export interface Started {
  readonly id: string;
  readonly input: ChainInput;
}

interface RunRow {
  readonly id: string;
  readonly status: string | null;
  readonly output: string | null;
  readonly end_gen: number | null;
}

interface RecordRow {
  readonly run_id: string;
  readonly n: number;
  readonly gen: number;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
}

/** One line for each promise that was not kept; empty when all were. */
export async function violations(
  pool: pg.Pool,
  started: readonly Started[],
  log: readonly LogEntry[],
): Promise<string[]> {
  const { rows: runs } = await pool.query<RunRow>("SELECT id, status, output, end_gen FROM aiki.run");
  const { rows: records } = await pool.query<RecordRow>(
    "SELECT run_id, n, gen, kind, key, value FROM aiki.record ORDER BY run_id, n",
  );
  const runById = new Map(runs.map((run) => [run.id, run]));
  const histories = new Map<string, RecordRow[]>();
  for (const record of records) histories.set(record.run_id, [...(histories.get(record.run_id) ?? []), record]);
  const orphans = await orphansInPostgres(pool);
  return [
    ...orphans.map((orphan) => `orphan: ${orphan}`),
    ...(runs.length === started.length ? [] : [`${started.length} runs were started, ${runs.length} are there`]),
    ...started.flatMap(({ id, input }) => [
      ...wrongEnd(id, input, runById.get(id)),
      ...wrongHistory(id, input, histories.get(id) ?? []),
    ]),
    ...wrongExecutions(started, runById, log),
  ];
}

function wrongEnd(id: string, input: ChainInput, run: RunRow | undefined): string[] {
  if (!run) return [`${id} was acknowledged and is not there`];
  if (run.status !== "completed") return [`${id} is ${run.status ?? "not at its end"}`];
  const expected = chainResult(input);
  return run.output === String(expected) ? [] : [`${id} returned ${run.output}, not ${expected}`];
}

/** Numbered without gaps, each task once, nothing after the end, no generation after a later one. */
function wrongHistory(id: string, { tasks }: ChainInput, history: readonly RecordRow[]): string[] {
  const wrong: string[] = [];
  let newest = 0;
  for (const [i, { n, gen, kind, value }] of history.entries()) {
    if (n !== i + 1) wrong.push(`${id} has record ${n} in place ${i + 1}`);
    if (gen < newest) wrong.push(`${id} has record ${n} of generation ${gen} after one of ${newest}`);
    newest = Math.max(newest, gen);
    if (kind === "task") wrong.push(...wrongTask(id, n, gen, value));
    if (kind === "run" && i !== history.length - 1) wrong.push(`${id} goes on after record ${n}, its end`);
  }
  const perKey = countBy(
    history.filter(({ kind }) => kind === "task" || kind === "run"),
    ({ key }) => key,
  );
  for (const [key, count] of perKey) if (count > 1) wrong.push(`${id} has ${count} records of ${key}`);
  if (perKey.size !== tasks + 1) wrong.push(`${id} has ${perKey.size - 1} tasks recorded, not ${tasks}`);
  return wrong;
}

/** A result was recorded under the generation whose push made it: nobody commits once the run was taken from him. */
function wrongTask(id: string, n: number, gen: number, value: string): string[] {
  const { state, attempts, output } = JSON.parse(value) as {
    state: string;
    attempts: number;
    output?: { gen: number };
  };
  if (state !== "completed" || attempts !== 1) return [`${id} has record ${n} ${state} after ${attempts} attempts`];
  if (output?.gen === gen) return [];
  return [`${id} has record ${n} of generation ${gen}, made by a push of generation ${output?.gen}`];
}

/** A task runs again only under a new generation, and each generation after the first is one unknown outcome. */
function wrongExecutions(
  started: readonly Started[],
  runById: ReadonlyMap<string, RunRow>,
  log: readonly LogEntry[],
): string[] {
  const starts = startsIn(log);
  const known = new Map(started.map((run) => [run.id, run.input]));
  const perTask = countBy(starts, ({ runId, at }) => `${runId} ${at}`);
  const perGeneration = countBy(starts, ({ runId, at, gen }) => `${runId} ${at} ${gen}`);
  const wrong: string[] = [];
  for (const { runId, at, attempt } of starts) {
    if (!known.has(runId)) wrong.push(`${runId} was executed and never started`);
    if (attempt !== 1) wrong.push(`${runId} used up an attempt of task ${at}`);
  }
  for (const [where, count] of perGeneration) if (count > 1) wrong.push(`${where} was executed ${count} times`);
  for (const [id, { tasks }] of known) {
    const most = runById.get(id)?.end_gen ?? 0;
    for (let at = 0; at < tasks; at++) {
      const count = perTask.get(`${id} ${at}`) ?? 0;
      if (count < 1 || count > most) wrong.push(`${id} executed task ${at} ${count} times in ${most} generations`);
    }
  }
  return wrong;
}
