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
  SendEventBody,
  StartRunBody,
  StartRunResult,
  WaitResult,
} from "./api.js";
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
  /** Rejects with `NOT_FOUND`. */
  getRun(runId: string): Promise<Run>;
  /** The run of this workflow version with this reference id. Rejects with `NOT_FOUND`. */
  findRun(by: { workflow: string; version: string; reference: string }): Promise<Run>;
  /**
   * Resolves when the run has ended, or with `ended: false` after `timeoutMs` (absent: waits for ever, poll after poll).
   * Rejects with `ABORTED` when the signal aborts.
   */
  waitForEnd(runId: string, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<WaitResult>;
  sendEvent(runId: string, body: SendEventBody): Promise<{ duplicate: boolean }>;
  /** At most `LIMITS.batchRuns` runs. One outcome for each, in the order given. */
  multicastEvent(body: MulticastBody): Promise<MulticastResult>;
  cancelRun(runId: string, body: { reason?: string }): Promise<void>;
}

/** What a worker needs. Nothing here is sent twice by itself: the worker decides what a lost answer means. */
export interface WorkerClient {
  /** Where the orchestrator answers, without a slash at its end. Throws `SETTING_INVALID`. */
  orchestratorUrl(): string;
  pollWork(body: WorkPollBody, options: { signal?: AbortSignal }): Promise<WorkPollAnswer>;
  extendWork(body: WorkExtendBody): Promise<WorkExtendAnswer>;
  answerWork(body: WorkAnswerBody): Promise<WorkAnswerResult>;
}
