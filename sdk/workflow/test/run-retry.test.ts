import { event, NonRetryableError, RetryAfterError, type RunContext, task, workflow } from "@aikirun/workflow";
import { History } from "@aikirun/workflow/replay";
import { describe, expect, it } from "vitest";
import { Orchestrator, silent } from "./orchestrator.js";

const POLICY = { type: "exponential", maxAttempts: 3, baseDelayMs: 100 } as const;
const executed: string[] = [];
/** A task that fails as long as its input is among `broken`. */
const broken = new Set<string>();
const work = task({
  name: "work",
  handler(name: string, { idempotencyKey, attempt }) {
    executed.push(`${name} ${attempt} ${idempotencyKey}`);
    if (broken.has(name)) throw new Error(`${name} is broken`);
    return `${name} done`;
  },
});
const child = workflow({ name: "child" }).v("1", { handler: async (_run, name: string) => name });

function of(handler: (run: RunContext) => Promise<unknown>, retry: object = { retry: POLICY }): Orchestrator {
  executed.length = 0;
  broken.clear();
  return new Orchestrator(workflow({ name: "w" }).v("1", { handler, ...retry }));
}

async function step(run: Orchestrator) {
  const answer = await run.push();
  if (answer.state === "diverged") throw new Error(`diverged: ${JSON.stringify(answer.divergence)}`);
  run.commit(answer.commands);
  return answer;
}

describe("a handler that fails", () => {
  const endOf = async (thrown: unknown, retry: object, options: object = {}) => {
    const run = of(async () => {
      throw thrown;
    }, retry);
    Object.assign(run.run.options, options);
    const { commands } = await step(run);
    return commands.at(-1);
  };

  it("is tried again by its version's policy, or by that of its start", async () => {
    const error = new Error("no");
    const fixed = { retry: { type: "fixed", maxAttempts: 2, delayMs: 5 } };
    expect(await endOf(error, {})).toMatchObject({ type: "run.failed", error: { message: "no" } });
    expect(await endOf(error, fixed)).toMatchObject({ type: "run.retry", delayMs: 5, error: { message: "no" } });
    expect(await endOf(error, fixed, { retry: POLICY })).toMatchObject({ type: "run.retry", delayMs: 100 });
    expect(await endOf(error, fixed, { retry: { type: "never" } })).toMatchObject({ type: "run.failed" });
  });

  it("may know better than its policy", async () => {
    expect(await endOf(new NonRetryableError("no"), { retry: POLICY })).toMatchObject({ type: "run.failed" });
    expect(await endOf(new RetryAfterError({ seconds: 7 }), {})).toMatchObject({ type: "run.retry", delayMs: 7_000 });
  });

  it("is not tried again when a value is at fault", async () => {
    const run = of(async () => () => {});
    expect((await step(run)).commands).toMatchObject([{ type: "run.failed", error: { code: "NOT_SERIALIZABLE" } }]);
  });

  it("uses up its attempts, and has them anew once somebody has retried the run", async () => {
    const run = of(async () => {
      throw new Error("no");
    });
    const types: unknown[] = [];
    const fail = async () => {
      const command = (await step(run)).commands.at(-1);
      types.push(command?.type === "run.retry" ? command.delayMs : command?.type);
      if (command?.type === "run.retry") run.settle("run:#0");
    };
    for (let i = 0; i < 3; i++) await fail();
    run.append({ kind: "run", key: "run:#0", value: { state: "retried", runAttempt: 4, reopenedAt: 9 } });
    for (let i = 0; i < 3; i++) await fail();
    expect(types).toEqual([100, 200, "run.failed", 100, 200, "run.failed"]);
  });

  it("names the task that failed it", async () => {
    const run = of((run) => work.start(run, "a"));
    broken.add("a");
    expect((await step(run)).commands).toMatchObject([
      { type: "task.failed" },
      { type: "run.retry", task: expect.stringMatching(/^task:work:/) },
    ]);
  });
});

describe("the next attempt", () => {
  it("keeps what completed, and asks anew, under the same idempotency key, for what failed", async () => {
    const seen: number[] = [];
    const run = of(async (run) => {
      seen.push(run.runAttempt);
      return [await work.start(run, "a"), await work.start(run, "b")];
    });
    broken.add("b");
    await step(run);
    await step(run);
    run.settle("run:#0");
    broken.clear();
    expect(await run.finish()).toEqual({ state: "completed", output: ["a done", "b done"] });
    expect(seen).toEqual([1, 1, 2]);
    const [a, b, again] = executed;
    expect(executed).toHaveLength(3);
    expect([a?.slice(0, 4), b?.slice(0, 4)]).toEqual(["a 1 ", "b 1 "]);
    expect(again).toBe(b);
  });

  it("goes on with timers and waits that were open", async () => {
    const run = of(async (run) => {
      const slept = run.sleep("s", 1_000);
      if (run.runAttempt === 1) throw new Error("no");
      return slept;
    });
    await step(run);
    run.settle("run:#0");
    expect(await step(run)).toEqual({ state: "waiting", commands: [] });
    run.settle("sleep:s#0");
    expect(await run.finish()).toEqual({ state: "completed", output: { cancelled: false } });
  });

  it("starts a child that failed anew, under the next index, and keeps the others", async () => {
    const handles: (readonly [string, boolean])[] = [];
    const run = of(async (run) => {
      const one = async () => {
        const handle = await child.startAsChild(run, "x");
        const outcome = await handle.waitForStatus("completed");
        handles.push([handle.id, outcome.success]);
        return outcome.success;
      };
      const all = await Promise.all([one(), one(), one()]);
      if (all.includes(false)) throw new Error("a child failed");
      return all;
    });
    await step(run);
    const [first, second, third] = run.open() as [string, string, string];
    run.endChild(first, { status: "completed", output: "x" });
    run.endChild(second, { status: "failed" });
    run.endChild(third, { status: "completed", output: "x" });
    await step(run);
    run.settle("run:#0");
    handles.length = 0;
    const { commands } = await step(run);
    const fourth = `${second.slice(0, -1)}3`;
    expect(commands).toMatchObject([
      { type: "child.start", key: fourth },
      { type: "child.wait", key: `wait:${fourth}/completed#0`, child: fourth },
    ]);
    run.endChild(fourth, { status: "completed", output: "x" });
    expect(await run.finish()).toEqual({ state: "completed", output: [true, true, true] });
    expect(new Set(handles.map(([id]) => id))).toEqual(new Set([first, third, fourth].map((key) => run.childId(key))));
  });

  it("may take another way: what an earlier attempt left need not be asked for", async () => {
    const run = of(async (run) => {
      const a = await work.start(run, "a").catch(() => "repaired");
      if (a === "repaired") {
        await work.start(run, "repair");
        throw new Error("once more");
      }
      await run.sleep("after", 5);
      return work.start(run, "z");
    });
    broken.add("a");
    await step(run);
    await step(run);
    await step(run);
    run.settle("run:#0");
    broken.clear();
    expect(await run.finish()).toEqual({ state: "completed", output: "z done" });
  });

  it("is not held up by a result of an earlier attempt that it does not ask for", async () => {
    const run = of(async (run) => {
      await work.start(run, run.runAttempt === 1 ? "a" : "b");
      if (run.runAttempt === 1) throw new Error("no");
      await run.sleep("s", 5);
      return work.start(run, "c");
    });
    await step(run);
    run.settle("run:#0");
    await step(run);
    run.settle("sleep:s#0");
    const answer = await run.push({ graceMs: 60_000 });
    expect(answer).toMatchObject({
      commands: [{ type: "task.completed" }, { type: "run.completed", output: "c done" }],
    });
  });

  it("must close again what it has itself given up, and not what an earlier attempt had", async () => {
    const version = workflow({ name: "w" }).v("1", {
      retry: POLICY,
      events: { go: event<string>() },
      async handler(run) {
        const going = run.events.go.wait().then(({ data }) => data);
        if (run.runAttempt === 1) return run.race([going, work.start(run, "a")]);
        const first = await run.race([going, run.sleep("s", 5).then(() => "slept")]);
        await run.sleep("t", 5);
        return first;
      },
    });
    executed.length = 0;
    const run = new Orchestrator(version);
    broken.add("a");
    await step(run);
    expect(run.records.filter(({ value }) => value.state === "closed")).toHaveLength(1);
    run.settle("run:#0");
    broken.clear();
    expect((await step(run)).commands[0]).toMatchObject({ type: "event.wait", key: "event:go#0" });
    run.settle("sleep:s#0");
    await step(run);
    expect(run.records.filter(({ value }) => value.state === "closed")).toHaveLength(2);
    run.settle("sleep:t#0");
    expect(await run.finish()).toEqual({ state: "completed", output: "slept" });
  });

  it("must ask for what it has itself recorded", async () => {
    let name = "b";
    const run = of(async (run) => {
      await work.start(run, "a");
      if (run.runAttempt === 1) throw new Error("no");
      await work.start(run, name);
      await run.sleep("s", 5);
    });
    await step(run);
    run.settle("run:#0");
    await step(run);
    name = "c";
    const answer = await run.push();
    expect(answer).toMatchObject({ state: "diverged", divergence: { asked: ['task work "c"'] } });
    if (answer.state === "diverged") expect(answer.divergence.leftover.join()).toMatch(/^task work #1 .*,sleep s #1$/);
  });

  it("writes its own log lines, once", async () => {
    const lines: string[] = [];
    const run = of(async (run) => {
      run.logger.info(`begin ${run.runAttempt}`);
      await work.start(run, "a");
      run.logger.info(`a ${run.runAttempt}`);
      await work.start(run, "b");
      run.logger.info("b");
    });
    run.logger = { ...silent, info: (line: object | string) => void lines.push(String(line)) };
    broken.add("b");
    await step(run);
    await step(run);
    run.settle("run:#0");
    broken.clear();
    await run.finish();
    expect(lines).toEqual(["begin 1", "a 1", "begin 2", "a 2", "b"]);
  });

  it("reads a history that grew the same as one that came whole", async () => {
    const run = of(async (run) => [await work.start(run, "a"), await work.start(run, "b")]);
    broken.add("b");
    await step(run);
    await step(run);
    const grown = new History([...run.records]);
    run.settle("run:#0");
    broken.clear();
    const history = grown.extended(run.records.slice(grown.records.length));
    expect(await run.push({ history, records: history.records })).toEqual(await run.push());
    expect(history.attempts).toBe(2);
  });
});

it("waits again for what the attempt before gave up, and gets what was sent meanwhile", async () => {
  const version = workflow({ name: "w" }).v("1", {
    retry: POLICY,
    events: { go: event<string>() },
    async handler(run) {
      const going = run.events.go.wait().then(({ data }) => data);
      return run.runAttempt === 1 ? run.race([going, work.start(run, "a")]) : going;
    },
  });
  const run = new Orchestrator(version);
  broken.add("a");
  await step(run);
  run.mailbox.set("go", ["x"]);
  run.settle("run:#0");
  broken.clear();
  expect(await run.finish()).toEqual({ state: "completed", output: "x" });
});

it("leaves an event that came between two attempts to the wait that was open", async () => {
  const version = workflow({ name: "w" }).v("1", {
    retry: POLICY,
    events: { go: event<string>() },
    async handler(run) {
      const going = run.events.go.wait();
      if (run.runAttempt === 1) throw new Error("no");
      return (await going).data;
    },
  });
  const run = new Orchestrator(version);
  await step(run);
  run.mailbox.set("go", ["x"]);
  run.settle("event:go#0");
  run.settle("run:#0");
  expect(await run.finish()).toEqual({ state: "completed", output: "x" });
});
