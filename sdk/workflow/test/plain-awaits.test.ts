/** What a handler awaits besides the run's own calls: it neither loses its place nor changes what a replay sees. */
import { event, type ServableVersion, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

const echo = task({ name: "echo", handler: async (value: string) => value });
const fetched = (ms = 10) => new Promise<string>((resolve) => setTimeout(resolve, ms, "fetched"));
const GRACE_MS = 200;

/** Pushes and commits once. Gives the commands' types. */
async function pushed(of: Orchestrator): Promise<string[]> {
  const answer = await of.push({ graceMs: GRACE_MS });
  if (answer.state === "diverged") throw new Error(JSON.stringify(answer.divergence));
  of.commit(answer.commands);
  return answer.commands.map(({ type }) => type);
}

/** A version of which it is known that it awaits other things, as a process knows it after a first such run. */
async function known(version: ServableVersion): Promise<ServableVersion> {
  await new Orchestrator(version).push({ graceMs: GRACE_MS });
  await fetched(30);
  return version;
}

describe("a plain await", () => {
  it("while a call is open that nobody awaits yet is waited for", async () => {
    const asks = workflow({ name: "asks" }).v("1", {
      events: { approved: event() },
      async handler(run) {
        const approved = run.events.approved.wait();
        await echo.start(run, await fetched());
        await approved;
      },
    });
    // Parked before the task had run, the run would wait for an approval that nobody was asked for.
    expect(await pushed(new Orchestrator(asks))).toEqual(["event.wait", "task.completed"]);
  });

  it("after a race is waited for, since what lost is closed", async () => {
    const raced = workflow({ name: "raced" }).v("1", {
      events: { word: event() },
      async handler(run) {
        await run.race([run.events.word.wait(), run.sleep("patience", { days: 1 }), echo.start(run, "first")]);
        return fetched();
      },
    });
    expect(await new Orchestrator(raced).finish()).toEqual({ state: "completed", output: "fetched" });
  });

  it("beside an awaited call is given time once the version is known for it", async () => {
    const beside = workflow({ name: "beside" }).v("1", {
      events: { word: event() },
      handler: (run) => Promise.all([run.events.word.wait(), fetched().then((text) => echo.start(run, text))]),
    });
    const of = new Orchestrator(await known(beside));
    expect(await pushed(of)).toEqual(["event.wait", "task.completed"]);
  });

  it("in a race with a call wins when it is first, and on replay again", async () => {
    const raced = workflow({ name: "raced" }).v("1", {
      async handler(run) {
        const patience = run.sleep("patience", 1).then(() => "patience");
        const winner = await Promise.race([patience, fetched()]);
        const done = await echo.start(run, winner);
        await patience;
        return [done, await echo.start(run, "last")];
      },
    });
    const of = new Orchestrator(await known(raced));
    expect(await pushed(of)).toEqual(["sleep", "task.completed"]);
    // On replay the sleep is over at once; the fetch is not. The order stays that of the first time.
    of.settle("sleep:patience#0");
    expect(await pushed(of)).toEqual(["task.completed", "run.completed"]);
    expect(of.end()).toEqual({ state: "completed", output: ["fetched", "last"] });
  });

  it("that takes longer than the grace holds back what comes after it all the same", async () => {
    const slow = workflow({ name: "slow" }).v("1", {
      async handler(run) {
        await fetched(40);
        const first = run.sleep("first", 1);
        await fetched(40);
        return Promise.race([first.then(() => "first"), run.sleep("second", 1).then(() => "second")]);
      },
    });
    const of = new Orchestrator(slow);
    for (const name of ["first", "second"]) {
      of.append({ kind: "sleep", key: `sleep:${name}#0`, value: { state: "sleeping", wakeAt: 0 } });
    }
    for (const name of ["second", "first"]) {
      of.append({ kind: "sleep", key: `sleep:${name}#0`, value: { state: "completed" } });
    }
    expect(await of.push({ graceMs: 10 })).toEqual({
      state: "waiting",
      commands: [{ type: "run.completed", output: "second" }],
    });
  });

  it("before, between and after calls changes neither their order nor their results", async () => {
    const mixed = workflow({ name: "mixed" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        const left = async () => {
          await fetched(20);
          const slept = run.sleep("left", 1).then(() => "left");
          return slept;
        };
        const right = async () => {
          await run.sleep("right", 1);
          await fetched(5);
          return "right";
        };
        await fetched();
        const winner = await Promise.race([left(), right()]);
        const done = await echo.start(run, winner);
        return [done, (await run.events.word.wait()).data, await fetched()];
      },
    });
    const version = await known(mixed);
    for (const order of [["sleep:left#0", "sleep:right#0"], ["sleep:right#0"]]) {
      const of = new Orchestrator(version);
      of.mailbox.set("word", ["hello"]);
      for (let round = 0; round < 10 && !of.end(); round++) {
        await pushed(of);
        const open = of.open();
        const next = order.find((key) => open.includes(key)) ?? open.find((key) => key.startsWith("event"));
        if (next && !of.end()) of.settle(next);
      }
      const winner = order.length === 2 ? "left" : "right";
      expect(of.end()).toEqual({ state: "completed", output: [winner, "hello", "fetched"] });
      const again = new Orchestrator(version);
      again.records.push(...of.records.slice(0, -1));
      expect(await pushed(again)).toEqual(["run.completed"]);
    }
  });

  it("misses nothing that is recorded with a checkpoint meanwhile", async () => {
    const flaky = task({
      name: "flaky",
      retry: { type: "fixed", maxAttempts: 2, delayMs: 1 },
      async handler(ms: number, { attempt }) {
        if (attempt === 1) throw new Error("once");
        await fetched(ms);
        return ms;
      },
    });
    const meanwhile = workflow({ name: "meanwhile" }).v("1", {
      handler: (run) =>
        Promise.all([
          flaky.start(run, 1),
          flaky.start(run, 40),
          fetched(20).then(() => run.sleep("behind", 1).then(({ cancelled }) => cancelled)),
        ]),
    });
    const of = new Orchestrator(await known(meanwhile));
    await pushed(of);
    for (const key of of.open().filter((open) => open.startsWith("task"))) of.settle(key);
    const answer = await of.push({
      graceMs: GRACE_MS,
      async checkpoint(commands) {
        of.commit(commands);
        const from = of.records.length;
        // Due while the handler is still on its way to it.
        for (const key of of.open()) of.settle(key);
        return { type: "committed", records: of.records.slice(from), answer: false };
      },
    });
    expect(answer).toMatchObject({
      commands: expect.arrayContaining([expect.objectContaining({ type: "run.completed" })]),
    });
  });

  it("that never ends costs the invocation its time, and no more", async () => {
    const stuck = workflow({ name: "stuck" }).v("1", {
      async handler(run) {
        await echo.start(run, "a");
        await new Promise(() => {});
      },
    });
    expect(await new Orchestrator(stuck).push({ budgetMs: 50 })).toMatchObject({
      state: "more",
      commands: [{ type: "task.completed" }],
    });
  });
});
