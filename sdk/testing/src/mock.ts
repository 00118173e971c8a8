/** Tasks in a test: what stands in for their handlers, and what they were called with. */
import { AikiError } from "@aikirun/protocol";
import { type Duration, durationMs, type Json, type Task, type TaskContext } from "@aikirun/workflow";
import type { Perform } from "@aikirun/workflow/replay";
import type { Work, World } from "./world.js";

/** What a mock gets beside the input. */
export interface MockContext extends TaskContext {
  /** Takes virtual time. Rejects when `signal` aborts. */
  sleep(duration: Duration): Promise<void>;
}

export interface TaskMock {
  readonly task: string;
  readonly handler: (input: never, context: MockContext) => unknown;
}

/** One attempt of a task as it was carried out: after a lost answer there is one more than is recorded. */
export interface TaskAttempt<Wire, Output> {
  readonly runId: string;
  readonly input: Json<Wire>;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** In virtual time. */
  readonly at: Date;
  /** Of an attempt that has ended, exactly one of these. */
  readonly output?: Output;
  readonly error?: unknown;
}

/**
 * Stands in for a task's handler, whichever of its `.with(…)` forms is started. Everything else is the task's own: retries,
 * timeout and schemas.
 */
export function mock<Wire, Output>(
  task: Task<Wire, Output>,
  handler: (input: Json<Wire>, context: MockContext) => Output | PromiseLike<Output>,
): TaskMock {
  return { task: task.name, handler };
}

export interface TasksOptions {
  readonly world: World;
  readonly mocks: readonly TaskMock[];
  /** Refuses tasks without a mock. */
  readonly strict: boolean;
}

type Noted = { -readonly [Key in keyof TaskAttempt<unknown, unknown>]: TaskAttempt<unknown, unknown>[Key] };

export class Tasks {
  readonly #world: World;
  readonly #mocks = new Map<string, TaskMock>();
  readonly #strict: boolean;
  readonly #attempts = new Map<string, Noted[]>();

  constructor({ world, mocks, strict }: TasksOptions) {
    this.#world = world;
    this.#strict = strict;
    for (const mocked of mocks) {
      if (this.#mocks.has(mocked.task)) {
        throw new AikiError("INVALID_ARGUMENT", `Task ${mocked.task} has two mocks; one is looked for by its name.`);
      }
      this.#mocks.set(mocked.task, mocked);
    }
  }

  attempts(task: string): readonly Noted[] {
    return (this.#attempts.get(task) ?? []).map((noted) => ({ ...noted }));
  }

  /** Carries out the attempts of one invocation. */
  performer(work: Work): Perform {
    return async (task, context) => {
      const noted = this.#note(task.name, task.input, context);
      this.#count(work, 1);
      try {
        const result = await this.#carryOut(task, context, work);
        noted.output = result;
        return result;
      } catch (error) {
        noted.error = error;
        throw error;
      } finally {
        this.#count(work, -1);
      }
    };
  }

  async #carryOut(task: Parameters<Perform>[0], context: TaskContext, work: Work): Promise<unknown> {
    const mocked = this.#mocks.get(task.name);
    if (mocked) {
      const sleep = (duration: Duration) => this.#sleep(durationMs(duration, "A mock's sleep"), context.signal, work);
      return mocked.handler(task.input as never, { ...context, sleep });
    }
    if (!this.#strict) return task.run();
    const missing = new AikiError(
      "TASK_NOT_MOCKED",
      `Task ${task.name} has no mock, and this test is strict. Give testAiki one in tasks: mock(${task.name}, …).`,
    );
    this.#world.blame(missing);
    throw missing;
  }

  #note(task: string, input: unknown, context: TaskContext): Noted {
    const { run, attempt, idempotencyKey } = context;
    const at = new Date(this.#world.clock.now);
    const noted: Noted = { runId: run.id, input: input as Json<unknown>, attempt, idempotencyKey, at };
    const attempts = this.#attempts.get(task) ?? [];
    attempts.push(noted);
    this.#attempts.set(task, attempts);
    return noted;
  }

  #count(work: Work, change: 1 | -1): void {
    work.running += change;
    work.hangs = false;
    this.#world.stir();
  }

  #sleep(ms: number, signal: AbortSignal, work: Work): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    work.sleeping += 1;
    this.#world.stir();
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        work.sleeping -= 1;
        signal.removeEventListener("abort", onAbort);
        this.#world.stir();
      };
      const onAbort = (): void => {
        stop();
        wake();
        reject(signal.reason);
      };
      const stop = this.#world.clock.after(ms, () => {
        wake();
        resolve();
      });
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}
