/** What a deliberate breakage of the rules is, and the wrappers around the product that breakages are made of. */
import { type Checkpointed, type ExecuteOptions, type Execution, execute } from "@aikirun/workflow/replay";
import type { Commit } from "../src/core/run.js";
import { runVerbs } from "../src/store/memory.js";
import { isLive, type Row } from "../src/store/memory-row.js";
import type { MemoryRuns } from "../src/store/memory-runs.js";
import type { RunStore, ScheduleStore } from "../src/store/port.js";

export interface Breakage {
  readonly name: string;
  /** The rule of the design that it breaks, or the part of it. */
  readonly rule: string;
  /** The database: what a statement does. */
  readonly store?: (verbs: RunStore, rows: ReadonlyMap<string, Row>) => RunStore;
  /** The schedules in it. */
  readonly schedules?: (verbs: ScheduleStore) => ScheduleStore;
  /** What a dispatcher sees of the database. */
  readonly link?: (link: RunStore) => RunStore;
  /** What the endpoint makes of a history. */
  readonly execute?: (options: ExecuteOptions) => Promise<Execution>;
}

export function breakStore(breakage: Breakage | undefined, runs: MemoryRuns): RunStore {
  return breakage?.store ? breakage.store(runVerbs(runs), runs.rows) : runs;
}

export function rowOf(rows: ReadonlyMap<string, Row>, ns: string, runId: string): Row | undefined {
  return [...rows.values()].find((row) => row.facts.id === runId && row.facts.ns === ns);
}

/** Changes the row around a commit: before it is judged, and after it was written. */
export function aroundCommit(change: {
  before?: (commit: Commit, row: Row) => Commit;
  after?: (commit: Commit, row: Row) => void;
}): NonNullable<Breakage["store"]> {
  return (verbs, rows) => ({
    ...verbs,
    async commit(commit, leaseMs) {
      const row = rowOf(rows, commit.ns, commit.runId);
      const changed = row && isLive(row) ? (change.before?.(commit, row) ?? commit) : commit;
      const outcome = await verbs.commit(changed, leaseMs);
      if (row && outcome.type === "committed") change.after?.(commit, row);
      return outcome;
    },
  });
}

/** Replay that makes something else of what comes back for a checkpoint. */
export function aroundCheckpoint(
  change: (checkpointed: Promise<Checkpointed>) => Checkpointed | Promise<Checkpointed>,
): NonNullable<Breakage["execute"]> {
  return ({ checkpoint, ...options }) =>
    execute(checkpoint ? { ...options, checkpoint: async (commands) => change(checkpoint(commands)) } : { ...options });
}
