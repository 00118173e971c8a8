export type { JsonValue, RetryPolicy, TerminalStatus, WireError, WorkflowClient } from "@aikirun/protocol";
export { AikiError } from "@aikirun/protocol/canonical";
export type { AnyVersion, ContextOf, ContextOption, ContextRun, ContextSource, ServeArguments } from "./context.js";
export { type Duration, durationMs } from "./duration.js";
export type { EventWaiter, EventWaitOptions, RunContext, RunOptions, WorkflowRun } from "./engine.js";
export { NonRetryableError, RetryAfterError, TaskFailedError } from "./errors.js";
export { type AnyEvent, type EventDefinition, type EventMap, event, type NoEvents } from "./event.js";
export type { RunHandle, RunRecord } from "./handle.js";
export type { Args, Json } from "./json.js";
export { consoleLogger, type Logger } from "./logger.js";
export type { AnyRunPromise, RunPromise } from "./run-promise.js";
export {
  type ScheduleDefinition,
  type ScheduleHandle,
  type ScheduleReference,
  type ScheduleStarter,
  schedule,
} from "./schedule.js";
export type { StandardSchemaV1 } from "./schema.js";
export type { HandleEvent, SendOutcome, VersionEvent } from "./send-event.js";
export type { ChildHandle, Reference, Trigger, WorkflowStarter } from "./start.js";
export type { StartOutcome } from "./start-many.js";
export { type Task, type TaskContext, type TaskDefinition, task } from "./task.js";
export type { EndState, WaitOutcome } from "./wait-outcome.js";
export {
  type ServableVersion,
  type VersionDefinition,
  type Workflow,
  type WorkflowVersion,
  workflow,
} from "./workflow.js";
