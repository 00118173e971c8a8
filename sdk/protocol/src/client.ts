/**
 * What `version.start(client, …)` and run handles need of a client. `@aikirun/client` implements it over HTTP;
 * `@aikirun/workflow` builds its typed handles on top. Types only: this module has no code.
 *
 * Every method rejects with an `AikiError`: the orchestrator's own code (`NOT_FOUND`, `REFERENCE_CONFLICT`, …), or
 * `ORCHESTRATOR_UNREACHABLE`, `BAD_RESPONSE`. Retries of a lost answer are the client's; it makes absent ids itself.
 */

import type {
  MulticastBody,
  MulticastResult,
  Run,
  RunSummary,
  SendEventBody,
  StartRunBody,
  StartRunResult,
  WaitResult,
} from "./api.js";
import type { AikiError } from "./errors.js";
import type { ActivateScheduleBody, ActivateScheduleResult, Schedule, TriggerScheduleResult } from "./schedules.js";
import type {
  WorkAnswerBody,
  WorkAnswerResult,
  WorkExtendAnswer,
  WorkExtendBody,
  WorkPollAnswer,
  WorkPollBody,
} from "./worker.js";

export interface WorkflowClient {
  startRun(body: StartRunBody): Promise<StartRunResult>;
  /** Any number of runs, an outcome for each in the order given: one that is refused keeps no other from starting. */
  startRuns(bodies: readonly StartRunBody[]): Promise<StartRunOutcome[]>;
  /** Rejects with `NOT_FOUND`. */
  getRun(runId: string): Promise<Run>;
  /**
   * The run of this workflow version with this reference id: one that was started from outside, or with `parent` a child
   * of that run. Rejects with `NOT_FOUND`.
   */
  findRun(by: { workflow: string; version: string; reference: string; parent?: string }): Promise<Run>;
  /**
   * Resolves when the run has ended, or with `ended: false` after `timeoutMs` (absent: waits for ever, poll after poll).
   * Rejects with `ABORTED` when the signal aborts.
   */
  waitForEnd(runId: string, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<WaitResult>;
  sendEvent(runId: string, body: SendEventBody): Promise<{ duplicate: boolean }>;
  /** At most `LIMITS.batchRuns` runs. One outcome for each, in the order given. */
  multicastEvent(body: MulticastBody): Promise<MulticastResult>;
  /** Rejects with `CRON_INVALID`, `TIME_ZONE_INVALID`, `REFERENCE_CONFLICT`, `TOO_MANY_SCHEDULES`. */
  activateSchedule(body: ActivateScheduleBody): Promise<ActivateScheduleResult>;
  /** These reject with `NOT_FOUND` when the schedule was deleted. */
  pauseSchedule(scheduleId: string): Promise<Schedule>;
  resumeSchedule(scheduleId: string): Promise<Schedule>;
  triggerSchedule(scheduleId: string): Promise<TriggerScheduleResult>;
  deleteSchedule(scheduleId: string): Promise<void>;
  cancelRun(runId: string, body: { reason?: string }): Promise<void>;
  /** Holds a run after what is under way; rejects with `RUN_ENDED`, as the following do. */
  pauseRun(runId: string): Promise<void>;
  /** Lets a paused run go on. Nothing happens to a run that is not paused. */
  resumeRun(runId: string): Promise<void>;
  /** Ends the sleeps that are open, and starts a run that was to start later. Nothing else is woken. */
  wakeupRun(runId: string): Promise<void>;
  /** Lets a stalled run go on from where it stands. Nothing happens to a run that is not stalled. */
  requeueRun(runId: string): Promise<void>;
  /** Opens a failed run again from where it failed; the same id again is the same retry. Rejects with `RUN_NOT_FAILED`. */
  retryRun(runId: string, options?: { id?: string }): Promise<void>;
}

export type StartRunOutcome =
  | { readonly outcome: "created" | "existing"; readonly run: RunSummary }
  | { readonly outcome: "error"; readonly error: AikiError };
/** What a worker needs. Nothing here is sent twice by itself: the worker decides what a lost answer means. */
export interface WorkerClient {
  /** Where the orchestrator answers, without a slash at its end. Throws `SETTING_INVALID`. */
  orchestratorUrl(): string;
  pollWork(body: WorkPollBody, options: { signal?: AbortSignal }): Promise<WorkPollAnswer>;
  extendWork(body: WorkExtendBody): Promise<WorkExtendAnswer>;
  answerWork(body: WorkAnswerBody): Promise<WorkAnswerResult>;
}
