/** The seam between what users call and what replays: `run` carries an engine, tasks and children reach it here. */
import type { JsonValue, TerminalStatus, WireError } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import type { Duration } from "./duration.js";
import type { AnyEvent, EventMap, NoEvents, ReceivedBy } from "./event.js";
import type { Logger } from "./logger.js";
import type { AnyRunPromise, RunPromise } from "./run-promise.js";
import type { StandardSchemaV1 } from "./schema.js";
import type { Reference } from "./start.js";
import type { TaskCall } from "./task.js";

/** Options that a run was started with. */
export interface RunOptions {
  readonly reference?: string;
}

/** What every handler's `run` offers, whatever its events. */
export interface RunContext {
  readonly id: string;
  /** The workflow's name. */
  readonly name: string;
  readonly versionId: string;
  readonly options: RunOptions;
  /** Lines written while history is replayed are not repeated. */
  readonly logger: Logger;
  /**
   * A durable timer: at most ten years, never early. `cancelled` when somebody woke the run before its time. A replay
   * with another duration keeps what was recorded.
   */
  sleep(name: string, duration: Duration): RunPromise<{ cancelled: boolean }>;
  /**
   * Settles as the first of these promises does, like `Promise.race`, and closes what the others wait for: their
   * promises never settle, the timers of losing sleeps are gone, and an event that comes now is for the next wait. Tasks
   * and child runs are work and not waits: they go on, and can be awaited later. Takes promises of the run's own calls
   * and what `then`, `catch` and `finally` make of them; rejects with `INVALID_ARGUMENT` for any other.
   */
  race<Runners extends readonly AnyRunPromise[] | []>(runners: Runners): RunPromise<Awaited<Runners[number]>>;
}

/** The first argument of a workflow's handler. */
export interface WorkflowRun<Events extends EventMap = NoEvents> extends RunContext {
  readonly events: { readonly [Name in keyof Events]: EventWaiter<ReceivedBy<Events[Name]>> };
}

export interface EventWaiter<Data> {
  /**
   * The next event of this name, also one that was sent before the wait. When `signal` aborts first, the wait is closed
   * and rejects with the signal's reason: an event that comes now is for the next wait.
   */
  wait(options?: {
    readonly timeout?: undefined;
    readonly signal?: AbortSignal | undefined;
  }): RunPromise<{ timeout: false; data: Data }>;
  wait(options: EventWaitOptions): RunPromise<{ timeout: true } | { timeout: false; data: Data }>;
}

export interface EventWaitOptions {
  readonly timeout?: Duration | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a replay does for the calls in a handler. Every method gives a promise and never throws. */
export interface RunEngine {
  task(call: TaskCall, input: unknown): RunPromise<unknown>;
  sleep(name: string, duration: Duration): RunPromise<{ cancelled: boolean }>;
  waitForEvent(name: string, event: AnyEvent, options: EventWaitOptions): RunPromise<EventOutcome>;
  race(runners: readonly unknown[]): RunPromise<unknown>;
  startChild(call: ChildCall, input: unknown): Promise<StartedChild>;
}

export type EventOutcome = { timeout: true } | { timeout: false; data: unknown };

export interface ChildCall {
  readonly workflow: string;
  readonly version: string;
  readonly inputSchema: StandardSchemaV1 | undefined;
  readonly reference: Reference | undefined;
  readonly delayMs: number | undefined;
  readonly pool: string | undefined;
}

export interface StartedChild {
  readonly runId: string;
  /** What `read` makes of how the child ended; undefined when the timeout came first. */
  waitForEnd<Result>(
    awaited: TerminalStatus,
    timeout: Duration | undefined,
    read: (end: ChildEnd | undefined) => Result,
  ): RunPromise<Result>;
}

export interface ChildEnd {
  readonly status: TerminalStatus;
  readonly output?: JsonValue | undefined;
  readonly error?: WireError | undefined;
}

// Registered globally, so that a run still works when an application holds two copies of this package.
const ENGINE = Symbol.for("aikirun.engine");

interface EngineHolder extends RunContext {
  readonly [ENGINE]: RunEngine;
}

/** Makes the object that a handler gets as `run`. */
export function attachEngine<Run extends RunContext>(run: Run, engine: RunEngine): Run {
  Object.defineProperty(run, ENGINE, { value: engine });
  return run;
}

/** The engine behind a handler's `run`. Throws `INVALID_ARGUMENT` for anything else. */
export function engineOf(run: RunContext): RunEngine {
  const engine = (run as Partial<EngineHolder> | null | undefined)?.[ENGINE];
  if (!engine) {
    throw new AikiError(
      "INVALID_ARGUMENT",
      "Expected the `run` that the workflow's handler was given as the first argument.",
    );
  }
  return engine;
}
