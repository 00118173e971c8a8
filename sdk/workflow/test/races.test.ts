/** What `run.race` and `wait({ signal })` close, and that every replay of it says the same. */
import type { Command } from "@aikirun/protocol";
import { event, type RunContext, type StandardSchemaV1, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

const echo = task({ name: "echo", handler: async (value: string) => value });
const leaf = workflow({ name: "leaf" }).v("1", { handler: async (_run, n: number) => n });
const patient = workflow({ name: "patient" }).v("1", {
  async handler(run) {
    const first = await run.race([
      run.events.word.wait().then(({ data }) => data),
      run.sleep("patience", 10).then(() => "silence"),
    ]);
    const second = await run.events.word.wait();
    return [first, second.data];
  },
  events: { word: event<string>() },
});

async function pushed(of: Orchestrator): Promise<readonly Command[]> {
  const answer = await of.push();
  if (answer.state === "diverged") throw new Error(JSON.stringify(answer.divergence));
  of.commit(answer.commands);
  return answer.commands;
}
const states = (of: Orchestrator) => of.records.map(({ key, value }) => `${key} ${value.state}`);

describe("run.race", () => {
  it("closes the wait that lost, so that the next event is for the next wait", async () => {
    const of = new Orchestrator(patient);
    await pushed(of);
    of.settle("sleep:patience#0");
    expect(await pushed(of)).toEqual([
      { type: "event.close", key: "event:word#0" },
      { type: "event.wait", key: "event:word#1" },
    ]);
    of.mailbox.set("word", ["hello"]);
    expect(of.open()).toEqual(["event:word#1"]);
    expect(await of.finish()).toEqual({ state: "completed", output: ["silence", "hello"] });
  });

  it("gives back the event that filled the loser before the handler saw it", async () => {
    const of = new Orchestrator(patient);
    await pushed(of);
    of.mailbox.set("word", ["early", "late"]);
    of.settle("sleep:patience#0");
    of.settle("event:word#0");
    await pushed(of);
    expect(states(of)).toEqual([
      "event:word#0 waiting",
      "sleep:patience#0 sleeping",
      "sleep:patience#0 completed",
      "event:word#0 received",
      "event:word#0 closed",
      "event:word#1 waiting",
    ]);
    expect(of.mailbox.get("word")).toEqual(["early", "late"]);
    expect(await of.finish()).toEqual({ state: "completed", output: ["silence", "early"] });
  });

  it("closes the timer that lost, so that it wakes nobody", async () => {
    const of = new Orchestrator(patient);
    await pushed(of);
    of.mailbox.set("word", ["hello"]);
    of.settle("event:word#0");
    expect(await pushed(of)).toEqual([
      { type: "sleep.close", key: "sleep:patience#0" },
      { type: "event.wait", key: "event:word#1" },
    ]);
    expect(of.open()).toEqual([]);
    of.mailbox.set("word", ["bye"]);
    expect(await of.finish()).toEqual({ state: "completed", output: ["hello", "bye"] });
  });

  it("asks for a close once: every later replay finds it recorded", async () => {
    const of = new Orchestrator(patient);
    await pushed(of);
    of.settle("sleep:patience#0");
    // The answer is lost: the same push asks for the same again.
    const [lost, again] = [await of.push(), await of.push()];
    expect(again).toEqual(lost);
    await pushed(of);
    expect(await of.push()).toEqual({ state: "waiting", commands: [] });
  });

  it("opens and closes in one answer what lost before it was opened", async () => {
    const quick = workflow({ name: "quick" }).v("1", {
      handler: (run) => run.race([echo.start(run, "done"), run.events.word.wait(), run.sleep("s", 5)]),
      events: { word: event<string>() },
    });
    const of = new Orchestrator(quick);
    expect((await pushed(of)).map(({ type }) => type)).toEqual([
      "event.wait",
      "sleep",
      "task.completed",
      "event.close",
      "sleep.close",
      "run.completed",
    ]);
    const replayed = new Orchestrator(quick);
    replayed.records.push(...of.records.slice(0, -1));
    expect(await replayed.push()).toEqual({
      state: "waiting",
      commands: [{ type: "run.completed", output: "done" }],
    });
  });

  it("lets work go on: a task that lost is recorded and can be awaited later, a child can be waited for again", async () => {
    const slow = task({
      name: "slow",
      retry: { type: "fixed", maxAttempts: 2, delayMs: 1 },
      async handler(value: string, { attempt }) {
        if (attempt === 1) throw new Error("once");
        return value;
      },
    });
    const working = workflow({ name: "working" }).v("1", {
      async handler(run) {
        const work = slow.start(run, "slow");
        const child = await leaf.startAsChild(run, 1);
        const first = await run.race([work, child.waitForStatus("completed"), run.sleep("s", 5)]);
        const result = await child.waitForStatus("completed");
        return [first, await work, result.success && result.state.output];
      },
    });
    const of = new Orchestrator(working);
    await pushed(of);
    of.settle("sleep:s#0");
    expect((await pushed(of)).map(({ type }) => type)).toEqual(["wait.close", "child.wait"]);
    expect(await of.finish()).toMatchObject({
      state: "completed",
      output: [{ cancelled: false }, "slow", expect.stringContaining("done")],
    });
    expect(states(of).filter((state) => state.startsWith("wait:"))).toEqual([
      expect.stringMatching(/#0 waiting$/),
      expect.stringMatching(/#0 closed$/),
      expect.stringMatching(/#1 waiting$/),
      expect.stringMatching(/#1 ended$/),
    ]);
  });

  it("rejects as the first does, and closes the others then too", async () => {
    const boom = task({
      name: "boom",
      async handler() {
        throw new Error("no");
      },
    });
    const careful = workflow({ name: "careful" }).v("1", {
      async handler(run) {
        const seen: string[] = [];
        try {
          await run.race([run.events.word.wait(), boom.start(run)]);
        } catch (error) {
          seen.push((error as Error).name);
        } finally {
          seen.push("finally");
        }
        return seen;
      },
      events: { word: event<string>() },
    });
    const of = new Orchestrator(careful);
    expect(await of.finish()).toEqual({ state: "completed", output: ["TaskFailedError", "finally"] });
    expect(states(of)).toContain("event:word#0 closed");
  });

  it("closes a race within a race, and what a callback of the loser waits for", async () => {
    const nested = workflow({ name: "nested" }).v("1", {
      events: { a: event(), b: event(), c: event() },
      async handler(run) {
        const inner = run.race([run.events.a.wait(), run.sleep("in", 50)]).finally(() => {});
        const chained = run.sleep("before", 1).then(() => run.events.b.wait());
        const late = echo.start(run, "x").then(() => run.events.c.wait());
        await run.sleep("meanwhile", 1);
        const winner = await run.race([inner, chained, late, run.sleep("out", 1).then(() => "out")]);
        await run.sleep("after", 1);
        return winner;
      },
    });
    const of = new Orchestrator(nested);
    const order = ["sleep:before#0", "sleep:meanwhile#0", "sleep:out#0", "sleep:after#0"];
    expect(await of.finish((open) => order.find((key) => open.includes(key)))).toEqual({
      state: "completed",
      output: "out",
    });
    expect(states(of).filter((state) => state.endsWith("closed"))).toEqual([
      "event:a#0 closed",
      "sleep:in#0 closed",
      "event:b#0 closed",
      "event:c#0 closed",
    ]);
  });

  it("closes what a loser's callback opens after the race is over", async () => {
    const late = workflow({ name: "late" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        const chain = echo.start(run, "a").then(() => run.events.word.wait());
        await run.race([chain, run.sleep("s", 0)]);
        return (await run.events.word.wait()).data;
      },
    });
    const of = new Orchestrator(late);
    // The sleep is over before the task has been started.
    of.append({ kind: "sleep", key: "sleep:s#0", value: { state: "sleeping", wakeAt: 0 } });
    of.append({ kind: "sleep", key: "sleep:s#0", value: { state: "completed" } });
    of.mailbox.set("word", ["for the last wait"]);
    expect(await of.finish()).toEqual({ state: "completed", output: "for the last wait" });
    expect(states(of)).toContain("event:word#1 closed");
  });

  it("keeps an event that was seen before the race: its promise has it", async () => {
    const keeps = workflow({ name: "keeps" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        const word = run.events.word.wait();
        const nap = run.sleep("nap", 1);
        await Promise.all([word, nap]);
        await run.race([nap, word]);
        return (await word).data;
      },
    });
    const of = new Orchestrator(keeps);
    of.mailbox.set("word", ["kept"]);
    expect(await of.finish()).toEqual({ state: "completed", output: "kept" });
    expect(states(of).some((state) => state.endsWith("closed"))).toBe(false);
  });

  it.each([
    ["an async function's promise", (run: RunContext) => [run.sleep("s", 1), (async () => {})()]],
    ["a value", () => [1]],
    ["nothing", () => []],
  ])("refuses %s", async (_, runners) => {
    const wrong = workflow({ name: "wrong" }).v("1", { handler: (run) => run.race(runners(run) as never) });
    expect(await new Orchestrator(wrong).push()).toMatchObject({
      commands: expect.arrayContaining([
        { type: "run.failed", error: expect.objectContaining({ code: "INVALID_ARGUMENT" }) },
      ]),
    });
  });

  it("refuses what an earlier race has closed, and takes what goes on again", async () => {
    const looping = workflow({ name: "looping" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        const word = run.events.word.wait();
        const work = echo.start(run, "work");
        await run.race([run.race([word, run.sleep("a", 1)]), run.sleep("b", 1), work]);
        const again = await run.race([work, run.sleep("c", 1)]);
        const refused = await run.race([work, word.then(({ data }) => data)]).catch((error: Error) => error.message);
        return [again, refused];
      },
    });
    expect(await new Orchestrator(looping).finish()).toEqual({
      state: "completed",
      output: [
        "work",
        "Element 1 of run.race waits for what an earlier race has closed, which never settles. Make the call again.",
      ],
    });
  });

  it("of an event whose schema takes its time is won by what was recorded first", async () => {
    const slow: StandardSchemaV1<string, string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return { value: value as string };
        },
      },
    };
    const checked = workflow({ name: "checked" }).v("1", {
      events: { word: event({ schema: slow }) },
      handler: (run) => run.race([run.events.word.wait(), run.sleep("s", 1)]),
    });
    const of = new Orchestrator(checked);
    of.mailbox.set("word", ["once"]);
    await pushed(of);
    of.settle("event:word#0");
    of.settle("sleep:s#0");
    expect(await of.finish()).toEqual({ state: "completed", output: { timeout: false, data: "once" } });
  });
});

describe("wait({ signal })", () => {
  const impatient = workflow({ name: "impatient" }).v("1", {
    events: { word: event<string>() },
    async handler(run) {
      const controller = new AbortController();
      const word = run.events.word.wait({ signal: controller.signal, timeout: 60 });
      await run.sleep("s", 10);
      controller.abort(new Error("too late"));
      const first = await word.catch((error: Error) => error.message);
      return [first, (await run.events.word.wait()).data];
    },
  });

  it("gives back an event whose schema is still being asked", async () => {
    let giveUp = (): void => {};
    let validations = 0;
    const asking: StandardSchemaV1<string, string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) => {
          validations++;
          giveUp();
          await new Promise((resolve) => setImmediate(resolve));
          return { value: value as string };
        },
      },
    };
    const checked = workflow({ name: "given-back" }).v("1", {
      events: { word: event({ schema: asking }) },
      async handler(run) {
        const controller = new AbortController();
        giveUp = () => controller.abort(new Error("too late"));
        await run.events.word.wait({ signal: controller.signal }).catch(() => {});
        await run.events.word.wait();
      },
    });
    const of = new Orchestrator(checked);
    of.mailbox.set("word", ["once"]);
    await pushed(of);
    of.settle("event:word#0");
    expect((await pushed(of)).map(({ type }) => type)).toEqual(["event.close", "event.wait"]);
    expect(validations).toBe(1);
  });

  it("rejects with the signal's reason when it aborts, and closes the wait", async () => {
    const of = new Orchestrator(impatient);
    await pushed(of);
    of.settle("sleep:s#0");
    expect((await pushed(of)).map(({ type }) => type)).toEqual(["event.close", "event.wait"]);
    of.mailbox.set("word", ["next"]);
    expect(await of.finish()).toEqual({ state: "completed", output: ["too late", "next"] });
  });

  it("gives back an event that came and was not seen", async () => {
    const of = new Orchestrator(impatient);
    await pushed(of);
    of.mailbox.set("word", ["unseen"]);
    of.settle("sleep:s#0");
    of.settle("event:word#0");
    expect(await of.finish()).toEqual({ state: "completed", output: ["too late", "unseen"] });
  });

  it("changes nothing once the event was seen, or the time has run out", async () => {
    const of = new Orchestrator(impatient);
    await pushed(of);
    of.mailbox.set("word", ["seen"]);
    of.settle("event:word#0");
    await pushed(of);
    of.settle("sleep:s#0");
    of.mailbox.set("word", ["next"]);
    expect(await of.finish()).toEqual({ state: "completed", output: [{ timeout: false, data: "seen" }, "next"] });
    const slow = new Orchestrator(impatient);
    await pushed(slow);
    slow.settle("event:word#0");
    slow.settle("sleep:s#0");
    slow.mailbox.set("word", ["next"]);
    expect(await slow.finish()).toEqual({ state: "completed", output: [{ timeout: true }, "next"] });
  });

  it("opens nothing when the signal has been aborted already", async () => {
    const never = workflow({ name: "never" }).v("1", {
      events: { word: event<string>() },
      handler: (run) =>
        run.events.word.wait({ signal: AbortSignal.abort("no") }).catch((reason: unknown) => `refused: ${reason}`),
    });
    const of = new Orchestrator(never);
    expect(await of.finish()).toEqual({ state: "completed", output: "refused: no" });
    expect(states(of)).toEqual(["run:#0 completed"]);
  });

  it("does nothing in an invocation that has answered", async () => {
    const controller = new AbortController();
    let rejected = false;
    const parked = workflow({ name: "parked" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        await run.events.word.wait({ signal: controller.signal }).finally(() => {
          rejected = true;
        });
      },
    });
    const of = new Orchestrator(parked);
    await pushed(of);
    controller.abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejected).toBe(false);
  });

  it("closes the losers of Promise.any, whose losers nobody else knows", async () => {
    const either = workflow({ name: "either" }).v("1", {
      events: { yes: event<string>(), no: event<string>() },
      async handler(run) {
        const decided = new AbortController();
        const { signal } = decided;
        try {
          return await Promise.any([run.events.yes.wait({ signal }), run.events.no.wait({ signal })]);
        } finally {
          decided.abort();
        }
      },
    });
    const of = new Orchestrator(either);
    of.mailbox.set("no", ["never"]);
    expect(await of.finish()).toMatchObject({ state: "completed", output: { data: "never" } });
    expect(states(of)).toContain("event:yes#0 closed");
  });
});

describe("changed code", () => {
  const before = workflow({ name: "changing" }).v("1", {
    events: { word: event<string>() },
    async handler(run) {
      await run.race([run.events.word.wait(), run.sleep("s", 1)]);
      return (await run.events.word.wait()).data;
    },
  });
  const raced = async () => {
    const of = new Orchestrator(before);
    await pushed(of);
    of.settle("sleep:s#0");
    await pushed(of);
    return of;
  };

  it("that no longer closes what was closed stops before anything executes", async () => {
    const after = workflow({ name: "changing" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        await Promise.race([run.events.word.wait(), run.sleep("s", 1)]);
        await run.events.word.wait({ timeout: 1 });
        return echo.start(run, "new");
      },
    });
    const of = await raced();
    of.mailbox.set("word", ["x"]);
    of.settle("event:word#1");
    const changed = new Orchestrator(after);
    changed.records.push(...of.records);
    expect(await changed.push()).toEqual({
      state: "diverged",
      divergence: { leftover: ["close of event word #1"], asked: [expect.stringContaining("task echo")] },
    });
  });

  it("that closes what was not closed stops, too, when history holds more", async () => {
    const after = workflow({ name: "changing" }).v("1", {
      events: { word: event<string>() },
      async handler(run) {
        const word = run.events.word.wait();
        await run.race([word, run.sleep("s", 1)]);
        await run.race([run.events.word.wait(), run.race([run.sleep("t", 1)])]);
      },
    });
    const unraced = new Orchestrator(after);
    const of = await raced();
    unraced.records.push(
      ...of.records.filter(({ value }) => value.state !== "closed").map((r, i) => ({ ...r, n: i + 1 })),
    );
    unraced.append({ kind: "sleep", key: "sleep:gone#0", value: { state: "sleeping", wakeAt: 0 } });
    expect(await unraced.push()).toMatchObject({
      state: "diverged",
      divergence: { leftover: ["sleep gone #1"], asked: ["close of event word #1", "sleep t"] },
    });
  });
});
