/**
 * Deliberate breakages of the rules, each as a wrapper around the product: what the rule is there for must show. A
 * simulation that finds none of these would find nothing else either.
 */
import type { ExecuteAnswer, HistoryRecord } from "@aikirun/protocol";
import type { execute, Execution } from "@aikirun/workflow/replay";
import type { Commit } from "../src/core/run.js";
import { isLive, type Row } from "../src/store/memory-row.js";
import type { MemoryRuns } from "../src/store/memory-runs.js";
import type { RunStore } from "../src/store/port.js";
import type { Random } from "./random.js";

export interface Breakage {
  readonly name: string;
  readonly store?: (runs: MemoryRuns, random: Random) => RunStore;
  readonly link?: (link: RunStore) => RunStore;
  readonly guessCommit?: boolean;
  readonly replay?: (records: readonly HistoryRecord[]) => readonly HistoryRecord[];
  readonly invoke?: (run: typeof execute, options: Parameters<typeof execute>[0]) => Promise<Execution>;
}
