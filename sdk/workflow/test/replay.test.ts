import { event, TaskFailedError, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

const add = task({ name: "add", handler: ({ a, b }: { a: number; b: number }) => a + b });
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

  it("with a reference id take the recorded run's id", async () => {
    const adopting = workflow({ name: "adopting" }).v("1", {
      async handler(run) {
        const child = await leaf.with("reference.id", "the-one").startAsChild(run, 1);
        return child.id;
      },
    });
    const of = new Orchestrator(adopting);
    const answer = await of.push();
    expect(answer).toMatchObject({ state: "more", commands: [{ type: "child.start", reference: "the-one" }] });
    if (answer.state === "diverged") return;
    const { key } = answer.commands[0] as { key: string };
    of.append({ kind: "child", key, value: { state: "started", runId: "run_01kaqsxkz0zzzzzzzzzzzzzzzz" } });
    expect(await of.finish()).toEqual({ state: "completed", output: "run_01kaqsxkz0zzzzzzzzzzzzzzzz" });
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
