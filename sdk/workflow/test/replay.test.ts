import { childRunId } from "@aikirun/protocol/canonical";
import { type AikiError, event, type StandardSchemaV1, TaskFailedError, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { Orchestrator, RUN_ID, silent } from "./orchestrator.js";

const add = task({ name: "add", handler: ({ a, b }: { a: number; b: number }) => a + b });
const leafVersion = workflow({ name: "leaf" }).v("1", { async handler() {} });
const echo = task({ name: "echo", handler: async (value: string) => value });

describe("a run from start to end", () => {
  it("runs tasks one after another, one push each, and ends with the last result", async () => {
    const sum = workflow({ name: "sum" }).v("1", {
      async handler(run, n: number) {
        let total = 0;
        for (let i = 1; i <= n; i++) total = await add.start(run, { a: total, b: i });
        return total;
      },
    });
    const of = new Orchestrator(sum, 4);
    expect(await of.finish()).toEqual({ state: "completed", output: 10 });
    expect(of.pushes).toBe(4);
    expect(of.records.map((record) => record.kind)).toEqual(["task", "task", "task", "task", "run"]);
  });

  it("runs tasks that were started together in one push and gives identical calls an entry each", async () => {
    let executions = 0;
    const roll = task({ name: "roll", handler: async (_die: number) => ++executions });
    const all = workflow({ name: "all" }).v("1", {
      handler: (run) => Promise.all([1, 1, 2, 1].map((die) => roll.start(run, die))),
    });
    const of = new Orchestrator(all);
    expect(await of.finish()).toEqual({ state: "completed", output: [1, 2, 3, 4] });
    expect([of.pushes, executions]).toEqual([1, 4]);
    expect(new Set(of.records.map((record) => record.key)).size).toBe(5);
  });

  it("goes on from an uncommitted result with everything but tasks", async () => {
    const started: string[] = [];
    const note = task({ name: "note", handler: (text: string) => void started.push(text) });
    const mixed = workflow({ name: "mixed" }).v("1", {
      async handler(run) {
        await note.start(run, "first");
        void run.events.go.wait({ timeout: 5 });
        await Promise.all([run.sleep("pause", { seconds: 1 }), note.start(run, "second")]);
        return "done";
      },
      events: { go: event<string>() },
    });
    const of = new Orchestrator(mixed);
    const first = await of.push();
    expect(first).toMatchObject({
      state: "more",
      commands: [{ type: "task.completed" }, { type: "event.wait", timeoutMs: 5 }, { type: "sleep", durationMs: 1000 }],
    });
    expect(started).toEqual(["first"]);
    if (first.state === "diverged") return;
    of.commit(first.commands);
    expect(await of.push()).toMatchObject({ state: "waiting", commands: [{ type: "task.completed" }] });
    expect(started).toEqual(["first", "second"]);
  });

  it("receives events sent before the wait, in order, and times out", async () => {
    const listen = workflow({ name: "listen" }).v("1", {
      async handler(run) {
        const got = [await run.events.word.wait(), await run.events.word.wait()].map(({ data }) => data);
        return { got, third: await run.events.word.wait({ timeout: { minutes: 1 } }) };
      },
      events: { word: event<string>() },
    });
    const of = new Orchestrator(listen);
    of.mailbox.set("word", ["a", "b"]);
    expect(await of.finish()).toEqual({ state: "completed", output: { got: ["a", "b"], third: { timeout: true } } });
  });

  it("says whether a sleep was cancelled", async () => {
    const nap = workflow({ name: "nap" }).v("1", { handler: (run) => run.sleep("nap", 10) });
    const of = new Orchestrator(nap);
    const answer = await of.push();
    if (answer.state !== "diverged") of.commit(answer.commands);
    of.settle("sleep:nap#0", true);
    expect(await of.finish()).toEqual({ state: "completed", output: { cancelled: true } });
  });

  it("never settles an open call, so that no catch or finally sees a suspension", async () => {
    const seen: string[] = [];
    const guarded = workflow({ name: "guarded" }).v("1", {
      async handler(run) {
        try {
          await run.sleep("long", { days: 1 });
        } catch {
          seen.push("catch");
        } finally {
          seen.push("finally");
        }
      },
    });
    expect(await new Orchestrator(guarded).push()).toMatchObject({ state: "waiting", commands: [{ type: "sleep" }] });
    expect(seen).toEqual([]);
  });
});

describe("children", () => {
  const leaf = workflow({ name: "leaf" }).v("1", { handler: async (_run, n: number) => `leaf ${n}` });

  it("start at once with an id that stays, and wait for their end", async () => {
    const ids: string[] = [];
    const parent = workflow({ name: "parent" }).v("1", {
      async handler(run) {
        const first = await leaf.startAsChild(run, 1);
        const second = await leaf.startAsChild(run, 1);
        ids.push(first.id, second.id);
        const results = await Promise.all([first.waitForStatus("completed"), second.waitForStatus("failed")]);
        return results.map((result) => (result.success ? result.state.status : result.cause));
      },
    });
    const of = new Orchestrator(parent);
    const answer = await of.push();
    expect(answer).toMatchObject({
      state: "waiting",
      commands: [{ type: "child.start" }, { type: "child.start" }, { type: "child.wait" }, { type: "child.wait" }],
    });
    expect(await of.finish()).toEqual({ state: "completed", output: ["completed", "run_terminated"] });
    expect(ids[0]).not.toBe(ids[1]);
    expect(new Set(ids).size).toBe(2);
    const started = of.records.filter((r) => r.kind === "child" && r.value.state === "started").map((r) => r.value);
    expect(started).toMatchObject([{ runId: ids[0] }, { runId: ids[1] }]);
  });

  it("need no wait of their own when they ended before the handler asks", async () => {
    const patient = workflow({ name: "patient" }).v("1", {
      async handler(run) {
        const child = await leaf.startAsChild(run, 1);
        await run.sleep("busy", 10);
        const result = await child.waitForStatus("completed");
        return result.success ? result.state.output : null;
      },
    });
    const of = new Orchestrator(patient);
    const end = await of.finish((open) => open.find((key) => key.startsWith("child")) ?? open[0]);
    expect(end).toMatchObject({ state: "completed", output: expect.stringContaining("done") });
    expect(of.records.some((record) => record.kind === "wait")).toBe(false);
  });

  it("need none either when they ended between the handler's last result and its asking", async () => {
    const patient = workflow({ name: "patient" }).v("1", {
      async handler(run) {
        const child = await leaf.startAsChild(run, 1);
        await run.sleep("busy", 10);
        const result = await child.waitForStatus("completed", { timeout: 5 });
        return result.success;
      },
    });
    const of = new Orchestrator(patient);
    const answer = await of.push();
    if (answer.state === "diverged") throw new Error("diverged");
    of.commit(answer.commands);
    const [child, sleep] = of.open() as [string, string];
    of.settle(sleep);
    of.settle(child);
    expect(await of.push()).toEqual({ state: "waiting", commands: [{ type: "run.completed", output: true }] });
  });

  it("with a reference id are one child, known at once, and two without", async () => {
    const referring = workflow({ name: "referring" }).v("1", {
      async handler(run) {
        const one = leaf.with("reference.id", "the-one");
        const [child, same] = await Promise.all([one.startAsChild(run, 1), one.startAsChild(run, 1)]);
        const others = [await leaf.startAsChild(run, 1), await leaf.startAsChild(run, 1)];
        return [child.id === same.id, others[0]?.id === others[1]?.id, child.id];
      },
    });
    const answer = await new Orchestrator(referring).push();
    if (answer.state === "diverged") throw new Error("diverged");
    const starts = answer.commands.filter(({ type }) => type === "child.start");
    expect(starts).toMatchObject([{ reference: "the-one" }, {}, {}]);
    const { key } = starts[0] as { key: string };
    expect(key).toBe("child:leaf:1:the-one#0");
    expect(answer.commands.at(-1)).toMatchObject({
      type: "run.completed",
      output: [true, false, childRunId(RUN_ID, key)],
    });
  });

  it("with a reference id and other input are a conflict that the handler can catch, or the same child", async () => {
    const referring = workflow({ name: "referring" }).v("1", {
      async handler(run) {
        const first = await leaf.with("reference.id", "the-one").startAsChild(run, 1);
        const refused = await leaf
          .with("reference.id", "the-one")
          .startAsChild(run, 2)
          .catch((error: AikiError) => error.code);
        const lenient = leaf.with("reference", { id: "the-one", conflictPolicy: "return_existing" });
        return [refused, (await lenient.startAsChild(run, 2)).id === first.id];
      },
    });
    expect(await new Orchestrator(referring).push()).toMatchObject({
      commands: [{ type: "child.start", input: 1 }, { output: ["REFERENCE_CONFLICT", true] }],
    });
  });
});

describe("the order of results", () => {
  it("is that of completion, however long the way of each through the handler", async () => {
    const both = workflow({ name: "both" }).v("1", {
      async handler(run) {
        let way = echo.start(run, "first");
        for (let i = 0; i < 20; i++) way = way.then((value) => value);
        return Promise.race([way, echo.start(run, "second")]);
      },
    });
    const of = new Orchestrator(both);
    expect(await of.finish()).toEqual({ state: "completed", output: "first" });
    // Replayed from its records, the race ends the same way.
    const again = new Orchestrator(both);
    again.records.push(...of.records.slice(0, -1));
    expect(await again.finish()).toEqual({ state: "completed", output: "first" });
  });

  it("of sleeps and events is that of their records, not of the calls", async () => {
    const either = workflow({ name: "either" }).v("1", {
      handler: (run) =>
        Promise.race([
          run.sleep("a", 1).then(() => "a"),
          run.sleep("b", 1).then(() => "b"),
          run.sleep("c", 1).then(() => "c"),
        ]),
    });
    const of = new Orchestrator(either);
    const answer = await of.push();
    if (answer.state === "diverged") throw new Error("diverged");
    of.commit(answer.commands);
    for (const name of ["c", "a", "b"]) of.settle(`sleep:${name}#0`);
    expect(await of.finish()).toEqual({ state: "completed", output: "c" });
  });
});

describe("a plain await", () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it("beside open calls is given two turns of the event loop", async () => {
    const mixed = workflow({ name: "mixed" }).v("1", {
      async handler(run) {
        const later = turn().then(() => echo.start(run, "later"));
        await Promise.all([run.sleep("s", 10), later]);
      },
    });
    expect(await new Orchestrator(mixed).push()).toMatchObject({
      state: "waiting",
      commands: [{ type: "sleep" }, { type: "task.completed", output: "later" }],
    });
  });

  it("that is all the handler does is waited for", async () => {
    const slow = workflow({ name: "slow" }).v("1", {
      async handler(run) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return echo.start(run, "after");
      },
    });
    const of = new Orchestrator(slow);
    const warnings: unknown[] = [];
    of.logger = { ...silent, warn: (line: object | string) => void warnings.push(line) };
    expect(await of.push({ warnsOfPlainAwaits: true })).toMatchObject({ state: "waiting" });
    expect(await of.push({ warnsOfPlainAwaits: true })).toMatchObject({ state: "waiting" });
    expect(warnings).toEqual([
      expect.stringMatching(/^Aiki: the handler of slow@1 awaits something that is not recorded/),
    ]);
    expect(await of.finish()).toEqual({ state: "completed", output: "after" });
  });
});

describe("a rejection that nobody has awaited yet", () => {
  it("does not bring down the process", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on("unhandledRejection", note);
    const boom = task({
      name: "boom",
      handler: async () => {
        throw new Error("no");
      },
    });
    const late = workflow({ name: "late" }).v("1", {
      async handler(run) {
        const failing = boom.start(run);
        const derived = [
          failing.then(() => 1),
          failing.finally(() => {}),
          failing.catch(() => Promise.reject(new Error("2"))),
        ];
        const invalid = run.sleep("", 10);
        await run.sleep("s", 10);
        await Promise.allSettled([failing, invalid, ...derived]).then((results) => results.map(({ status }) => status));
        await failing;
      },
    });
    const end = await new Orchestrator(late).finish();
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("unhandledRejection", note);
    expect(end).toMatchObject({ state: "failed", error: { code: "TASK_FAILED" } });
    expect(unhandled).toEqual([]);
  });
});

describe("the run's logger", () => {
  it("writes each line once over all replays", async () => {
    const lines: string[] = [];
    const logger = { ...silent, info: (line: object | string) => void lines.push(String(line)) };
    const talkative = workflow({ name: "talkative" }).v("1", {
      async handler(run) {
        run.logger.info("start");
        await run.sleep("s", 10);
        run.logger.info("slept");
        await echo.start(run, "a");
        run.logger.info("did a");
        await echo.start(run, "b");
        run.logger.info("did b");
        await run.events.go.wait();
        run.logger.info("go");
        const child = await leafVersion.startAsChild(run);
        await child.waitForStatus("completed");
        run.logger.info("end");
      },
      events: { go: event() },
    });
    const of = new Orchestrator(talkative);
    of.mailbox.set("go", [null]);
    of.logger = logger;
    await of.finish();
    expect(lines).toEqual(["start", "slept", "did a", "did b", "go", "end"]);
  });
});

describe("schemas", () => {
  const positive = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) =>
        typeof value === "number" && value > 0
          ? { value: value * 10 }
          : { issues: [{ message: "must be positive", path: ["n"] }] },
    },
  } satisfies StandardSchemaV1<number, number>;

  it("check and transform the input of runs and tasks, outputs and events", async () => {
    const times = task({ name: "times", schema: { input: positive, output: positive }, handler: (n) => n + 1 });
    const all = workflow({ name: "all" }).v("1", {
      schema: { input: positive },
      async handler(run, n) {
        const { data } = await run.events.more.wait();
        return [n, await times.start(run, 2), data];
      },
      events: { more: event({ schema: positive }) },
    });
    const of = new Orchestrator(all, 1);
    of.mailbox.set("more", [3]);
    expect(await of.finish()).toEqual({ state: "completed", output: [10, 210, 30] });
    const bad = new Orchestrator(all, -1);
    expect(await bad.finish()).toMatchObject({ state: "failed", error: { code: "SCHEMA_INVALID" } });
    const rogue = new Orchestrator(all, 1);
    rogue.mailbox.set("more", [-3]);
    expect(await rogue.finish()).toMatchObject({
      state: "failed",
      error: { message: "The data of event more does not match its schema: n: must be positive." },
    });
  });

  it("fail a task at once, whatever its retry policy", async () => {
    const times = task({
      name: "times",
      schema: { input: positive },
      retry: { type: "fixed", maxAttempts: 9, delayMs: 1 },
      handler: (n) => n,
    });
    const run = workflow({ name: "w" }).v("1", { handler: (context) => times.start(context, -2) });
    expect(await new Orchestrator(run).finish()).toMatchObject({
      state: "failed",
      error: { code: "TASK_FAILED", cause: { code: "SCHEMA_INVALID" } },
    });
  });
});

describe("failures", () => {
  it("of a task can be caught, with the recorded error as the cause", async () => {
    const boom = task({
      name: "boom",
      handler: () => {
        throw Object.assign(new RangeError("too far"), { code: "E_FAR", cause: new Error("root") });
      },
    });
    let caught: unknown;
    const careful = workflow({ name: "careful" }).v("1", {
      async handler(run) {
        try {
          await boom.start(run);
        } catch (error) {
          caught = error;
          await echo.start(run, "compensate");
        }
        return "saved";
      },
    });
    const of = new Orchestrator(careful);
    expect(await of.finish()).toEqual({ state: "completed", output: "saved" });
    expect(caught).toBeInstanceOf(TaskFailedError);
    expect(caught).toMatchObject({
      code: "TASK_FAILED",
      task: "boom",
      attempts: 1,
      cause: { name: "RangeError", message: "too far", code: "E_FAR", cause: { message: "root" } },
    });
  });

  it("that nobody catches end the run and name the task", async () => {
    const boom = task({
      name: "boom",
      handler: async () => {
        throw new Error("no");
      },
    });
    const careless = workflow({ name: "careless" }).v("1", {
      async handler(run) {
        await boom.start(run).catch((error: unknown) => {
          throw new Error("wrapped", { cause: error });
        });
      },
    });
    const end = await new Orchestrator(careless).finish();
    expect(end).toMatchObject({
      state: "failed",
      error: { message: "wrapped", cause: { code: "TASK_FAILED" } },
      task: expect.stringMatching(/^task:boom:/),
    });
  });

  it("of values: what JSON cannot hold fails with its path, in, out and at the end", async () => {
    const bad = task({ name: "bad", retry: { type: "fixed", maxAttempts: 9, delayMs: 1 }, handler: () => ({ n: 1n }) });
    const badOutput = workflow({ name: "w" }).v("1", {
      async handler(run) {
        await bad.start(run);
      },
    });
    const cause = {
      code: "NOT_SERIALIZABLE",
      message: "Task bad returned a value that JSON cannot hold: $.n is a bigint. Use plain data.",
    };
    expect(await new Orchestrator(badOutput).finish()).toMatchObject({ state: "failed", error: { cause } });
    const badInput = workflow({ name: "w" }).v("1", {
      handler: (run) => task({ name: "in", handler: (_f: unknown) => 1 }).start(run, { f: () => 1 }),
    });
    expect(await new Orchestrator(badInput).finish()).toMatchObject({
      state: "failed",
      error: { code: "NOT_SERIALIZABLE" },
    });
    const badEnd = workflow({ name: "w" }).v("1", { handler: async () => Number.NaN });
    expect(await new Orchestrator(badEnd).finish()).toMatchObject({
      state: "failed",
      error: { code: "NOT_SERIALIZABLE" },
    });
  });
});

describe("recorded values", () => {
  it("are decoded JSON the first time too, and safe from the handler", async () => {
    const load = task({ name: "load", handler: async () => ({ at: new Date(0), gone: undefined, list: [1] }) });
    const seen: unknown[] = [];
    const reader = workflow({ name: "reader" }).v("1", {
      async handler(run, input: { list: number[] }) {
        input.list.push(1);
        const value = await load.start(run);
        seen.push(structuredClone(value));
        value.list.push(2);
        await echo.start(run, "x");
        return [input.list.length, value];
      },
    });
    const of = new Orchestrator(reader, { list: [] });
    expect(await of.finish()).toEqual({
      state: "completed",
      output: [1, { at: "1970-01-01T00:00:00.000Z", list: [1, 2] }],
    });
    expect(seen).toEqual([seen[0], seen[0]]);
    expect(seen[0]).toEqual({ at: "1970-01-01T00:00:00.000Z", list: [1] });
  });
});
