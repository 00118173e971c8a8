import { AikiError, type Run, type TerminalStatus } from "@aikirun/protocol";
import type { Duration, EventMap, Json, RunHandle } from "@aikirun/workflow";
import type { RecordedRun } from "./recorded-run.js";
import { nameOf } from "./waits-text.js";

/** A run in a test: the handle that production code gets, and what only a test asks. */
export interface TestRun<Output, Events extends EventMap> extends RunHandle<Output, Events> {
  /**
   * Lets virtual time pass until the run has ended, and gives its output. Rejects with `RUN_NOT_COMPLETED` when it has
   * failed or was cancelled, and with `RUN_STUCK` when it waits for something that nobody does.
   */
  result(options?: { readonly within?: Duration }): Promise<Json<Output>>;
  /** What is recorded of it so far, for a snapshot or for `replayHistory`. */
  history(): Promise<RecordedRun>;
}

export function outputOf(run: Run): unknown {
  if (run.status === "completed") return run.output;
  throw new AikiError("RUN_NOT_COMPLETED", `${nameOf(run)} ended ${run.status}${because(run)}`, {
    ...(run.error && { cause: run.error }),
    details: { runId: run.id, status: run.status as TerminalStatus },
  });
}

function because({ error, failedTask, reason }: Run): string {
  if (!error) return reason === undefined ? "." : `: ${reason}`;
  return `: ${error.name}: ${error.message}${failedTask === undefined ? "" : ` (${failedTask})`}`;
}
