import type { Run, RunSummary, TerminalStatus, WorkflowClient } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { type Duration, durationMs } from "./duration.js";
import type { EventMap } from "./event.js";
import { type HandleEvents, handleEvents } from "./send-event.js";
import { type WaitOutcome, waitOutcome } from "./wait-outcome.js";

/** A run as last seen: the summary that its start answered, or all of it after `refresh` or a lookup. */
export type RunRecord = RunSummary & Partial<Run>;

/** One run, seen from outside. */
export interface RunHandle<Output, Events extends EventMap> {
  readonly id: string;
  readonly run: RunRecord;
  readonly events: HandleEvents<Events>;
  /** Reads the run again; also updates `run`. */
  refresh(): Promise<Run>;
  /** Resolves when the run has ended: `run_terminated` says that it ended in another status. */
  waitForStatus<Status extends TerminalStatus>(status: Status): Promise<WaitOutcome<Status, Output, "run_terminated">>;
  waitForStatus<Status extends TerminalStatus>(
    status: Status,
    options: { readonly timeout?: Duration; readonly signal?: AbortSignal },
  ): Promise<WaitOutcome<Status, Output, "run_terminated" | "timeout" | "aborted">>;
  /** Cancels the run and its children. Resolves when the cancel is stored; a run that has ended stays as it is. */
  cancel(reason?: string): Promise<void>;
  /**
   * Holds the run: what is under way is recorded, then nothing is pushed and no timer comes due until `resume`. Resolves
   * when the request is stored. Rejects with `RUN_ENDED`, as do the following.
   */
  pause(): Promise<void>;
  /** Lets a paused run go on; its timers that came due meanwhile are made up for. */
  resume(): Promise<void>;
  /** Ends the run's open sleeps with `{ cancelled: true }`, and starts a run that was to start later. */
  wakeup(): Promise<void>;
  /** Lets a stalled run go on, once what stalled it is mended. */
  requeue(): Promise<void>;
  /**
   * Opens a failed run again: its handler runs once more with everything recorded but what failed. Rejects with
   * `RUN_NOT_FAILED`.
   */
  retry(): Promise<void>;
}

export function runHandle<Output, Events extends EventMap>(
  client: WorkflowClient,
  first: RunRecord,
  events: Events,
): RunHandle<Output, Events> {
  let run = first;
  const { id } = first;

  async function waitForStatus<Status extends TerminalStatus>(
    status: Status,
    options: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {},
  ): Promise<WaitOutcome<Status, Output, "run_terminated" | "timeout" | "aborted">> {
    const { timeout, signal } = options;
    try {
      const result = await client.waitForEnd(id, {
        ...(timeout !== undefined && { timeoutMs: durationMs(timeout, "The timeout of waitForStatus") }),
        ...(signal && { signal }),
      });
      run = result.run;
      return result.ended ? waitOutcome<Status, Output>(status, result.run) : { success: false, cause: "timeout" };
    } catch (error) {
      if (error instanceof AikiError && error.code === "ABORTED") return { success: false, cause: "aborted" };
      throw error;
    }
  }

  return {
    id,
    get run() {
      return run;
    },
    events: handleEvents(client, id, events),
    async refresh() {
      const read = await client.getRun(id);
      run = read;
      return read;
    },
    // The implementation also covers the overload without options, in which only `run_terminated` can come out.
    waitForStatus: waitForStatus as RunHandle<Output, Events>["waitForStatus"],
    cancel: (reason) => client.cancelRun(id, reason === undefined ? {} : { reason }),
    pause: () => client.pauseRun(id),
    resume: () => client.resumeRun(id),
    wakeup: () => client.wakeupRun(id),
    requeue: () => client.requeueRun(id),
    retry: () => client.retryRun(id),
  };
}
