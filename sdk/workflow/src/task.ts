import type { RetryPolicy } from "@aikirun/protocol";
import { type Duration, durationMs } from "./duration.js";
import { engineOf, type RunContext } from "./engine.js";
import type { Args, Json } from "./json.js";
import type { Logger } from "./logger.js";
import { checkName } from "./names.js";
import { checkRetryPolicy } from "./retry.js";
import type { RunPromise } from "./run-promise.js";
import type { StandardSchemaV1 } from "./schema.js";

/** What a task's handler gets beside its input. */
export interface TaskContext {
  /** The same for every attempt of this call, different for every other: give it to the service you call. */
  readonly idempotencyKey: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Aborts when the attempt's timeout or the host's time has run out, or the run was cancelled. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly run: { readonly id: string; readonly name: string; readonly versionId: string };
}

export interface TaskDefinition<Input, Output, Wire = Input> {
  readonly name: string;
  handler(input: Input, context: TaskContext): Output | PromiseLike<Output>;
  /** What happens after a failed attempt. Default `{ type: "never" }`. */
  readonly retry?: RetryPolicy;
  /** For each attempt. An attempt that takes longer has failed with `TASK_TIMEOUT`. */
  readonly timeout?: Duration;
  /** Checked when an attempt runs. A mismatch fails the task without another attempt. */
  readonly schema?: {
    readonly input?: StandardSchemaV1<Wire, Input>;
    readonly output?: StandardSchemaV1<Output, Output>;
  };
}

export interface Task<Wire, Output> {
  readonly name: string;
  /**
   * Runs the task, or gives what was recorded when it already ran. Rejects with `TaskFailedError` once the attempts
   * are used up, with `NOT_SERIALIZABLE` for an input that JSON cannot hold.
   */
  start(run: RunContext, ...input: Args<Wire>): RunPromise<Json<Output>>;
  /** The same task with another option; this one stays as it is. */
  with(path: "retry", value: RetryPolicy): Task<Wire, Output>;
}

/** A task as replay sees it, its types erased. */
export interface TaskCall {
  readonly name: string;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | undefined;
  readonly inputSchema: StandardSchemaV1 | undefined;
  readonly outputSchema: StandardSchemaV1 | undefined;
  run(input: unknown, context: TaskContext): unknown;
}

/** Defines a task: a side effect whose outcome is recorded once. Throws `INVALID_ARGUMENT` for a bad definition. */
export function task<Input = void, Output = void, Wire = Input>(
  definition: TaskDefinition<Input, Output, Wire>,
): Task<Wire, Output> {
  checkName(definition.name, "A task's name");
  const retry = definition.retry ?? { type: "never" };
  checkRetryPolicy(retry, `Task ${definition.name}`);
  return build({
    name: definition.name,
    retry,
    timeoutMs:
      definition.timeout === undefined
        ? undefined
        : durationMs(definition.timeout, `The timeout of task ${definition.name}`),
    inputSchema: definition.schema?.input,
    outputSchema: definition.schema?.output,
    // The caller's schema has made `Input` of what was recorded, or there is none and the two are the same.
    run: (input, context) => definition.handler(input as Input, context),
  });
}

function build<Wire, Output>(call: TaskCall): Task<Wire, Output> {
  return {
    name: call.name,
    // What comes back is the recorded JSON of what the handler returned.
    start: (run, ...input) => engineOf(run).task(call, input[0]) as RunPromise<Json<Output>>,
    with(_path, value) {
      checkRetryPolicy(value, `Task ${call.name}`);
      return build({ ...call, retry: value });
    },
  };
}
