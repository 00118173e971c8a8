/** What users of the earlier Aiki met, by name: tasks and replay. `waits.test.ts` says where the rest is. */
import { setTimeout as delay } from "node:timers/promises";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { gate } from "../gate.js";
import { goesOn, SOON, staged } from "../stage.js";

const LONG = { timeout: 60_000 };

describe("crash mid-task with `never`:", LONG, () => {
  it("the run goes on with the same attempt", async () => {
    const began = gate();
    const attempts: number[] = [];
    const charge = task({
      name: "charge",
      async handler(amount: number, { attempt }) {
        attempts.push(attempt);
        if (attempts.length > 1) return amount;
        began.open();
        // The process of this attempt is no more.
        return new Promise<number>(() => {});
      },
    });
    const pays = workflow({ name: "pays" }).v("1", { handler: (run) => charge.start(run, 5) });
    const stage = await staged([pays]);
    const handle = await pays.start(stage.aiki);
    await began.opened;
    await stage.app.cut();
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: 5 } });
    expect(attempts).toEqual([1, 1]);
    const tasks = (await stage.history(handle.id)).filter(({ kind }) => kind === "task");
    expect(tasks).toMatchObject([{ value: { state: "completed", attempts: 1 } }]);
  });
});

describe("zombie writes:", LONG, () => {
  it("an invocation that was given up cannot write again, also when its handler comes to a wait", async () => {
    const began = gate();
    const wakes = gate();
    const ended = gate();
    let executions = 0;
    const slow = task({
      name: "slow",
      async handler() {
        executions += 1;
        if (executions > 1) return "second";
        began.open();
        await wakes.opened;
        setTimeout(ended.open, 300);
        return "zombie";
      },
    });
    const seen: string[] = [];
    const after = task({
      name: "after",
      async handler(value: string) {
        seen.push(value);
        return value;
      },
    });
    const haunted = workflow({ name: "haunted" }).v("1", {
      events: { go: event() },
      async handler(run) {
        const first = await after.start(run, await slow.start(run));
        await run.events.go.wait();
        return after.start(run, `${first}, later`);
      },
    });
    const stage = await staged([haunted]);
    const handle = await haunted.start(stage.aiki);
    await began.opened;
    await stage.app.cut();
    await expect
      .poll(async () => (await stage.aiki.getRun(handle.id)).waitsFor, SOON)
      .toMatchObject([{ kind: "event" }]);
    const recorded = await stage.history(handle.id);
    wakes.open();
    await ended.opened;
    expect(await stage.history(handle.id)).toEqual(recorded);
    await handle.events.go.send();
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({
      success: true,
      state: { output: "second, later" },
    });
    expect(seen).toEqual(["second", "second, later"]);
  });
});

describe("jittered floats:", LONG, () => {
  it("a jittered retry of any base is accepted, and falls on a whole millisecond", async () => {
    let attempts = 0;
    const flaky = task({
      name: "flaky",
      retry: { type: "jittered", maxAttempts: 6, baseDelayMs: 37, factor: 1.3, jitterFactor: 0.77, maxDelayMs: 111 },
      async handler() {
        attempts += 1;
        if (attempts < 6) throw new Error("not yet");
        return attempts;
      },
    });
    const retries = workflow({ name: "retries" }).v("1", { handler: (run) => flaky.start(run) });
    const stage = await staged([retries]);
    const handle = await retries.start(stage.aiki);
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: 6 } });
    const instants = (await stage.history(handle.id)).flatMap(({ kind, value }) =>
      kind === "task" && value.state === "retrying" ? [value.nextAttemptAt] : [],
    );
    // Each retry once when it was put off, and once when it came due.
    expect(instants).toHaveLength(10);
    for (const at of instants) expect(Number.isInteger(at)).toBe(true);
  });
});

describe("two tasks that await a retry:", LONG, () => {
  it("each is tried again after its own delay", async () => {
    const at = new Map<string, number[]>();
    const failing = (name: string, delayMs: number) =>
      task({
        name,
        retry: { type: "fixed", maxAttempts: 2, delayMs },
        async handler(_: null, { attempt }) {
          at.set(name, [...(at.get(name) ?? []), performance.now()]);
          if (attempt === 1) throw new Error("once");
          return attempt;
        },
      });
    const soon = failing("soon", 30);
    const late = failing("late", 900);
    const both = workflow({ name: "both" }).v("1", {
      handler: (run) => Promise.all([soon.start(run, null), late.start(run, null)]),
    });
    const stage = await staged([both]);
    const handle = await both.start(stage.aiki);
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: [2, 2] } });
    const waited = (name: string) => (at.get(name)?.[1] ?? 0) - (at.get(name)?.[0] ?? 0);
    expect([at.get("soon")?.length, at.get("late")?.length]).toEqual([2, 2]);
    expect(waited("late")).toBeGreaterThanOrEqual(900);
    expect(waited("soon")).toBeLessThan(waited("late"));
  });
});

describe("false divergence in concurrent branches:", LONG, () => {
  it.each(["one way", "the other way round"])(
    "a branch that is ahead starts a new task while another has results that it has not asked for, listed %s",
    async (listed) => {
      const began = gate();
      const executed: string[] = [];
      const step = task({
        name: "step",
        async handler(name: string) {
          executed.push(name);
          // C is recorded first, and A and B while D is under way: replay comes to D before anybody has asked for B.
          if (name === "a") await delay(80);
          if (name !== "d") return name;
          // Whatever runs beside it is recorded before it.
          if (executed.filter((one) => one === "d").length > 1) return delay(80, name);
          began.open();
          return new Promise<string>(() => {});
        },
      });
      const branching = workflow({ name: "branching" }).v("1", {
        async handler(run) {
          const branch = async (first: string, second: string) =>
            (await step.start(run, first)) + (await step.start(run, second));
          const branches =
            listed === "one way"
              ? [() => branch("c", "d"), () => branch("a", "b")]
              : [() => branch("a", "b"), () => branch("c", "d")];
          return (await Promise.all(branches.map((start) => start()))).sort();
        },
      });
      const stage = await staged([branching]);
      const handle = await branching.start(stage.aiki);
      await began.opened;
      const names = async () => (await stage.history(handle.id)).length;
      // Without checkpoints B's result travels with D's, and is lost with it.
      await expect.poll(names, SOON).toBe(goesOn ? 3 : 2);
      // D's process dies: the next one replays what is recorded, and comes to D anew.
      await stage.app.cut();
      expect(await handle.waitForStatus("completed", SOON)).toMatchObject({
        success: true,
        state: { output: ["ab", "cd"] },
      });
      expect(executed.sort()).toEqual(["a", "b", ...(goesOn ? [] : ["b"]), "c", "d", "d"]);
    },
  );
});
