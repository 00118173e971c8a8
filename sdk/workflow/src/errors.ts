/** Errors that user code throws to steer retries, or catches when a task has failed. */
import type { WireError } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { type Duration, durationMs } from "./duration.js";

// Recognised by a registered mark, so that they still work when an application holds two copies of this package.
const NON_RETRYABLE = Symbol.for("aikirun.nonRetryable");
const RETRY_AFTER_MS = Symbol.for("aikirun.retryAfterMs");

/** Thrown by a task or a workflow's handler: no further attempt, whatever the retry policy. */
export class NonRetryableError extends Error {
  readonly [NON_RETRYABLE] = true;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "NonRetryableError";
  }
}

/**
 * Thrown by a task or a workflow's handler: try again after this delay instead of the policy's. A policy's `maxAttempts`
 * still holds; `never` names none, so there it is tried again for as long as it asks for it.
 */
export class RetryAfterError extends Error {
  readonly [RETRY_AFTER_MS]: number;

  /** Throws `INVALID_ARGUMENT` for a wrong delay. */
  constructor(delay: Duration, message = "It asked to be tried again later.", options?: { cause?: unknown }) {
    super(message, options);
    this.name = "RetryAfterError";
    this[RETRY_AFTER_MS] = durationMs(delay, "The delay of a RetryAfterError");
  }
}

export function isNonRetryable(error: unknown): boolean {
  return error instanceof Error && NON_RETRYABLE in error;
}

/** Milliseconds that a `RetryAfterError` asks for; undefined for any other value. */
export function retryAfterMs(error: unknown): number | undefined {
  if (!(error instanceof Error) || !(RETRY_AFTER_MS in error)) return undefined;
  const delay = error[RETRY_AFTER_MS];
  return typeof delay === "number" ? delay : undefined;
}

/** A task whose attempts are used up. `cause` is what the last attempt threw, as it was recorded. */
export class TaskFailedError extends AikiError {
  readonly task: string;
  readonly attempts: number;

  constructor(task: string, attempts: number, error: WireError) {
    super(
      "TASK_FAILED",
      `Task ${task} failed after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}: ${error.message}`,
      {
        cause: restoreError(error),
        details: { task, attempts },
      },
    );
    this.name = "TaskFailedError";
    this.task = task;
    this.attempts = attempts;
  }
}

/** An `Error` made from its record: same name, message, stack, code and causes. */
function restoreError(wire: WireError): Error {
  const error = new Error(wire.message, wire.cause ? { cause: restoreError(wire.cause) } : undefined);
  error.name = wire.name;
  error.stack = wire.stack ?? `${wire.name}: ${wire.message}`;
  return wire.code === undefined ? error : Object.assign(error, { code: wire.code });
}
