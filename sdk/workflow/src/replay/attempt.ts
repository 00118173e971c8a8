/** One attempt of one task: user code runs here and nowhere else in a replay besides the handler. */
import type { Command, HistoryRecord, JsonValue, PushedRun, WireError } from "@aikirun/protocol";
import { AikiError, sha256Hex } from "@aikirun/protocol/canonical";
import { bind, type Logger } from "../logger.js";
import { recordable } from "../record.js";
import { delayAfterMs } from "../retry.js";
import { check } from "../schema.js";
import type { TaskContext } from "../task.js";
import { runBindings } from "./bindings.js";
import type { StartableTask } from "./calls.js";
import type { Host } from "./host.js";
import { decodeInput } from "./input-address.js";
import { wireError } from "./wire-error.js";

const IDEMPOTENCY_HASH_CHARS = 32;

/** How an attempt ended: the command that says so, and the record that it will become unless it is tried again. */
export interface AttemptOutcome {
  readonly command: Extract<Command, { type: "task.completed" | "task.failed" | "task.retry" }>;
  readonly record: HistoryRecord | undefined;
}

/** An attempt in progress. Only the first ending counts. */
export interface RunningAttempt {
  /** Ends it as out of time. */
  outOfTime(): void;
  /** Aborts the task's signal; whatever the task does then is not recorded. */
  abandon(reason: AikiError): void;
}

export interface AttemptSurroundings {
  readonly run: PushedRun;
  readonly host: Host;
  readonly logger: Logger;
  readonly perform?: Perform;
}

/** Carries out an attempt: `run` calls the task's own handler, `input` is as it was recorded. */
export type Perform = (
  task: { readonly name: string; readonly input: unknown; run(): unknown },
  context: TaskContext,
) => unknown;

/** Starts the attempt; `onEnd` is called once, never before this returns, and not at all after `abandon`. */
export function startAttempt(
  task: StartableTask,
  { run, host, logger, perform: performWith }: AttemptSurroundings,
  onEnd: (outcome: AttemptOutcome) => void,
): RunningAttempt {
  const { call, key, taskAttempt } = task;
  const startedAt = host.now();
  const controller = new AbortController();
  let open = true;
  let stopTimer = (): void => {};

  const end = (outcome: (timing: AttemptTiming) => AttemptOutcome): void => {
    if (!open) return;
    open = false;
    stopTimer();
    onEnd(outcome({ startedAt, elapsedMs: Math.max(0, host.now() - startedAt) }));
  };
  const fail = (thrown: unknown, final = false): void =>
    end((timing) => failedOutcome(task, thrown, final, host.random, timing));
  const abort = (reason: AikiError): void => {
    controller.abort(reason);
    fail(reason);
  };

  if (call.timeoutMs !== undefined) {
    stopTimer = host.setTimer(call.timeoutMs, () =>
      abort(new AikiError("TASK_TIMEOUT", `Task ${call.name} took longer than its timeout of ${call.timeoutMs} ms.`)),
    );
  }
  let bound: Logger | undefined;
  const context = {
    // Made when asked for: a hash costs more than everything else here.
    get idempotencyKey() {
      return `${run.id}-${sha256Hex(key).slice(0, IDEMPOTENCY_HASH_CHARS)}`;
    },
    attempt: taskAttempt,
    signal: controller.signal,
    get logger() {
      bound ??= bind(logger, { ...runBindings(run), task: call.name, taskAttempt });
      return bound;
    },
    run: { id: run.id, name: run.workflow, versionId: run.version },
  };
  const perform = async (): Promise<void> => {
    let input: unknown;
    let output: JsonValue | undefined;
    try {
      input = await check(call.inputSchema, decodeInput(task.input), `The input of task ${call.name}`);
    } catch (error) {
      return fail(error, true);
    }
    let result: unknown;
    try {
      const { name } = call;
      result = await (performWith
        ? performWith({ name, input: decodeInput(task.input), run: () => call.run(input, context) }, context)
        : call.run(input, context));
    } catch (error) {
      return fail(error);
    }
    try {
      const checked = await check(call.outputSchema, result, `The output of task ${call.name}`);
      output = recordable(checked, `Task ${call.name} returned a value`);
    } catch (error) {
      return fail(error, true);
    }
    end((timing) => completedOutcome(task, output, timing));
  };
  void perform();

  return {
    outOfTime: () =>
      abort(
        new AikiError(
          "OUT_OF_TIME",
          `Task ${call.name} had not ended when the host's time ran out. Give the endpoint a longer maxDuration, or split the task.`,
        ),
      ),
    abandon(reason) {
      if (!open) return;
      open = false;
      stopTimer();
      controller.abort(reason);
    },
  };
}

interface AttemptTiming {
  readonly startedAt: number;
  readonly elapsedMs: number;
}

function completedOutcome(task: StartableTask, output: JsonValue | undefined, timing: AttemptTiming): AttemptOutcome {
  const { key, taskAttempt } = task;
  const value = output === undefined ? {} : { output };
  return {
    command: { type: "task.completed", key, taskAttempt, ...value, timing },
    record: { n: taskAttempt, kind: "task", key, value: { state: "completed", attempts: taskAttempt, ...value } },
  };
}

/** `final`: trying again would end the same way, because the value and not the work is at fault. */
function failedOutcome(
  task: StartableTask,
  thrown: unknown,
  final: boolean,
  random: () => number,
  timing: AttemptTiming,
): AttemptOutcome {
  const { key, taskAttempt } = task;
  const error: WireError = wireError(thrown);
  const delayMs = final ? undefined : delayAfterMs(task.call.retry, taskAttempt, thrown, random);
  if (delayMs !== undefined) {
    return { command: { type: "task.retry", key, taskAttempt, error, delayMs, timing }, record: undefined };
  }
  return {
    command: { type: "task.failed", key, taskAttempt, error, timing },
    record: { n: taskAttempt, kind: "task", key, value: { state: "failed", attempts: taskAttempt, error } },
  };
}
