import {
  NonRetryableError,
  RetryAfterError,
  type RetryPolicy,
  type TaskContext,
  task,
  workflow,
} from "@aikirun/workflow";
import type { Execution, Host } from "@aikirun/workflow/replay";
import { describe, expect, it } from "vitest";
import { Orchestrator, RUN_ID, stillHost } from "./orchestrator.js";

/** A run of one task. */
function one(
  handler: (input: number, context: TaskContext) => unknown,
  options: { retry?: RetryPolicy; timeout?: number } = {},
) {
  const only = task({ name: "only", handler, ...options });
  return new Orchestrator(workflow({ name: "one" }).v("1", { handler: (run) => only.start(run, 7) }));
}

function commandsOf(answer: Execution) {
  if (answer.state === "diverged") throw new Error("diverged");
  return answer.commands;
}

/** Timers that run out when the test says so. */
function manualTimers(): Host & { fire(ms: number): void } {
  const timers = new Map<number, () => void>();
  return {
    ...stillHost,
    setTimer(ms, callback) {
      timers.set(ms, callback);
      return () => void timers.delete(ms);
    },
    fire: (ms) => timers.get(ms)?.(),
  };
}

const never = (_input: number, { signal }: TaskContext) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

describe("retry policies", () => {
  const fail = () => {
    throw new Error("no");
  };
  const delays = async (retry: RetryPolicy, random = 0): Promise<(number | "failed")[]> => {
    const of = one(fail, { retry });
    const seen: (number | "failed")[] = [];
    for (let i = 0; i < 12; i++) {
      const [command] = commandsOf(await of.push({ host: { ...stillHost, random: () => random } }));
      if (!command) throw new Error("no command");
      of.commit([command]);
      seen.push(command.type === "task.retry" ? command.delayMs : "failed");
      if (command.type !== "task.retry") return seen;
      expect(await of.push()).toEqual({ state: "waiting", commands: [] });
      of.settle(command.key);
    }
    return seen;
  };

  it("follow the documented formulas", async () => {
    expect(await delays({ type: "never" })).toEqual(["failed"]);
    expect(await delays({ type: "fixed", maxAttempts: 3, delayMs: 70 })).toEqual([70, 70, "failed"]);
    expect(await delays({ type: "exponential", maxAttempts: 5, baseDelayMs: 100, maxDelayMs: 500 })).toEqual([
      100,
      200,
      400,
      500,
      "failed",
    ]);
    expect(await delays({ type: "exponential", maxAttempts: 3, baseDelayMs: 3, factor: 1.5 })).toEqual([
      3,
      5,
      "failed",
    ]);
    expect(await delays({ type: "jittered", maxAttempts: 3, baseDelayMs: 100 }, 0)).toEqual([100, 200, "failed"]);
    expect(await delays({ type: "jittered", maxAttempts: 3, baseDelayMs: 101 }, 0.999)).toEqual([51, 101, "failed"]);
    expect(
      await delays({ type: "jittered", maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 150, jitterFactor: 1 }, 0.5),
    ).toEqual([50, 75, "failed"]);
  });

  it("are overridden by what the task throws", async () => {
    const policy: RetryPolicy = { type: "fixed", maxAttempts: 3, delayMs: 70 };
    const fatal = one(
      () => {
        throw new NonRetryableError("stop");
      },
      { retry: policy },
    );
    expect(commandsOf(await fatal.push())).toMatchObject([
      { type: "task.failed", error: { name: "NonRetryableError" } },
      { type: "run.failed" },
    ]);
    const later = one(() => {
      throw new RetryAfterError({ seconds: 9 }, "busy");
    });
    expect(commandsOf(await later.push())).toMatchObject([
      { type: "task.retry", delayMs: 9000, error: { message: "busy" } },
    ]);
    const last = one(
      () => {
        throw new RetryAfterError(5);
      },
      { retry: { ...policy, maxAttempts: 1 } },
    );
    expect(commandsOf(await last.push())).toMatchObject([{ type: "task.failed" }, { type: "run.failed" }]);
  });

  it("give every attempt the same idempotency key, another number, and other calls another key", async () => {
    const seen: TaskContext[] = [];
    const flaky = task({
      name: "flaky",
      retry: { type: "fixed", maxAttempts: 2, delayMs: 1 },
      handler(_n: number, context) {
        seen.push(context);
        if (context.attempt === 1) throw new Error("again");
      },
    });
    const of = new Orchestrator(
      workflow({ name: "twice" }).v("2", { handler: (run) => Promise.all([1, 1].map((n) => flaky.start(run, n))) }),
    );
    await of.finish();
    expect(seen.map(({ attempt }) => attempt).sort()).toEqual([1, 1, 2, 2]);
    expect(new Set(seen.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
    expect(seen[0]).toMatchObject({ run: { id: RUN_ID, name: "twice", versionId: "2" } });
  });
});

describe("time", () => {
  it("limits an attempt: the signal aborts and the attempt has failed", async () => {
    const host = manualTimers();
    let reason: unknown;
    const of = one(
      (input, context) =>
        never(input, context).catch((error: unknown) => {
          reason = error;
          throw error;
        }),
      { timeout: 30 },
    );
    const answer = of.push({ host });
    await new Promise((resolve) => setTimeout(resolve, 5));
    host.fire(30);
    expect(commandsOf(await answer)).toMatchObject([
      { type: "task.failed", error: { code: "TASK_TIMEOUT" } },
      { type: "run.failed", error: { code: "TASK_FAILED" } },
    ]);
    expect(reason).toMatchObject({ code: "TASK_TIMEOUT" });
  });

  it("of the host runs out: what is done is kept, what is not is an attempt with a known outcome", async () => {
    const host = manualTimers();
    const quick = task({ name: "quick", handler: async () => "done" });
    const slow = task({ name: "slow", retry: { type: "fixed", maxAttempts: 2, delayMs: 5 }, handler: never });
    const stuck = task({ name: "stuck", handler: () => new Promise<void>(() => {}) });
    const of = new Orchestrator(
      workflow({ name: "w" }).v("1", {
        handler: (run) => Promise.all([slow.start(run, 1), stuck.start(run), quick.start(run)]),
      }),
    );
    const answer = of.push({ host, budgetMs: 500 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    host.fire(500);
    const result = await answer;
    expect(result.state).toBe("more");
    expect(commandsOf(result)).toMatchObject([
      { type: "task.completed", output: "done" },
      { type: "task.retry", delayMs: 5, error: { code: "OUT_OF_TIME" } },
      { type: "task.failed", error: { code: "OUT_OF_TIME" } },
    ]);
  });

  it("ends a handler that awaits something else than Aiki's calls", async () => {
    const host = manualTimers();
    const of = new Orchestrator(workflow({ name: "w" }).v("1", { handler: () => new Promise<void>(() => {}) }));
    const answer = of.push({ host, budgetMs: 500 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    host.fire(500);
    expect(await answer).toEqual({ state: "more", commands: [] });
  });

  it("is not waited for when nobody reads the answer: signals abort, only finished work is told", async () => {
    const gone = new AbortController();
    let aborted = false;
    const of = one((input, context) =>
      never(input, context).catch(() => {
        aborted = true;
      }),
    );
    const answer = of.push({ signal: gone.signal });
    setTimeout(() => gone.abort(), 5);
    expect(await answer).toEqual({ state: "more", commands: [] });
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(aborted).toBe(true);
  });

  it("is not wasted on tasks that lost a race: the run ends and their signal aborts", async () => {
    let aborted = false;
    const slow = task({
      name: "slow",
      handler: (_n: number, context) =>
        never(1, context).catch(() => {
          aborted = true;
        }),
    });
    const quick = task({ name: "quick", handler: async () => "quick" });
    const of = new Orchestrator(
      workflow({ name: "w" }).v("1", {
        handler: (run) => Promise.race([slow.start(run, 1), quick.start(run)]),
      }),
    );
    expect(commandsOf(await of.push())).toMatchObject([
      { type: "task.completed" },
      { type: "run.completed", output: "quick" },
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(aborted).toBe(true);
  });
});

describe("bounds", () => {
  it("an answer holds what fits; what does not runs again later", async () => {
    let executions = 0;
    const big = task({
      name: "big",
      handler: async (n: number) => {
        executions++;
        return String(n).repeat(1_500_000);
      },
    });
    const of = new Orchestrator(
      workflow({ name: "w" }).v("1", {
        async handler(run) {
          const parts = await Promise.all([1, 2, 3].map((n) => big.start(run, n)));
          return parts.map((part) => part.length);
        },
      }),
    );
    const first = await of.push();
    expect(first.state).toBe("more");
    expect(commandsOf(first)).toHaveLength(2);
    of.commit(commandsOf(first));
    expect(await of.finish()).toEqual({ state: "completed", output: [1_500_000, 1_500_000, 1_500_000] });
    expect(executions).toBe(4);
  });

  it("an answer has at most 10,000 commands, and the rest follows", async () => {
    const tick = task({ name: "tick", handler: (n: number) => n });
    const of = new Orchestrator(
      workflow({ name: "w" }).v("1", {
        async handler(run) {
          const all = await Promise.all(Array.from({ length: 12_000 }, (_, n) => tick.start(run, n)));
          return all.length;
        },
      }),
    );
    const first = await of.push();
    expect(first.state).toBe("more");
    expect(commandsOf(first).length).toBeLessThanOrEqual(10_000);
    of.commit(commandsOf(first));
    expect(await of.finish()).toEqual({ state: "completed", output: 12_000 });
    expect(of.pushes).toBe(2);
  });
});

describe("outcomes that come together with the end of the host's time", () => {
  it("are all recorded, so that nothing that was done is done again", async () => {
    const timers = manualTimers();
    const did: string[] = [];
    const step = task({
      name: "step",
      async handler(name: string) {
        did.push(name);
        return name;
      },
    });
    const of = new Orchestrator(
      workflow({ name: "both" }).v("1", {
        handler: (run) => Promise.all([step.start(run, "a").then(() => timers.fire(1_000)), step.start(run, "b")]),
      }),
    );
    of.commit(commandsOf(await of.push({ host: timers, budgetMs: 1_000 })));
    expect(await of.finish()).toMatchObject({ state: "completed" });
    expect(did).toEqual(["a", "b"]);
  });
});
