import type { Command } from "@aikirun/protocol";
import { event, type RunContext, task, workflow } from "@aikirun/workflow";
import type { Checkpoint, Checkpointed } from "@aikirun/workflow/replay";
import { describe, expect, it } from "vitest";
import { Orchestrator, silent, stillHost } from "./orchestrator.js";

const GO_ON: Checkpointed = { type: "committed", records: [], answer: false };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const turns = async (count = 20): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

/** Tasks that start when the handler says so and end when the test says so. */
function stage(retries = false) {
  const started: string[] = [];
  const aborted: string[] = [];
  const ends = new Map<string, (value: string) => void>();
  const act = task({
    name: "act",
    ...(retries && { retry: RETRY }),
    handler: (name: string, { signal }) => {
      started.push(name);
      signal.addEventListener("abort", () => aborted.push(name));
      return new Promise<string>((resolve) => ends.set(name, resolve));
    },
  });
  const end = async (name: string): Promise<void> => {
    await untilTrue(() => ends.has(name));
    ends.get(name)?.(name);
  };
  return { act, started, aborted, end };
}

async function untilTrue(so: () => boolean): Promise<void> {
  for (let i = 0; !so(); i++) {
    if (i === 2_000) throw new Error("it never came to that");
    await turn();
  }
}

const echo = task({ name: "echo", handler: async (value: string) => value });
const sequence = workflow({ name: "sequence" }).v("1", {
  async handler(run, names: string[]) {
    const done: string[] = [];
    for (const name of names) done.push(await echo.start(run, name));
    return done.join("");
  },
});

const twice = async (run: RunContext, value: string) => echo.start(run, await echo.start(run, value));
const raise = (): never => {
  throw new Error("not yet");
};
const RETRY = { type: "fixed", maxAttempts: 3, delayMs: 1 } as const;

/** Checkpoints that wait for the test to acknowledge them. */
function byHand() {
  const sent: { readonly types: string[]; readonly commands: readonly Command[]; ack(with_: Checkpointed): void }[] =
    [];
  const checkpoint: Checkpoint = (commands) =>
    new Promise((ack) => {
      const copy = structuredClone(commands);
      sent.push({ types: copy.map(({ type }) => type), commands: copy, ack });
    });
  return { sent, checkpoint };
}

describe("tasks with checkpoints", () => {
  it("run one after another in one invocation, and each is recorded once", async () => {
    const names = Array.from({ length: 200 }, (_, i) => `${i},`);
    const of = new Orchestrator(sequence, names);
    let checkpoints = 0;
    const answer = await of.push({
      checkpoint: async (commands) => {
        checkpoints++;
        expect(commands.map(({ type }) => type)).toEqual(["task.completed"]);
        return of.record(commands);
      },
    });
    expect(checkpoints).toBe(199);
    expect(answer).toMatchObject({
      state: "waiting",
      commands: [{ type: "task.completed" }, { type: "run.completed", output: names.join("") }],
    });
    expect(of.records.map(({ kind }) => kind)).toEqual(names.slice(1).map(() => "task"));
  });

  it("do not start before the result that they depend on is acknowledged", async () => {
    const { act, started, end } = stage();
    const chain = workflow({ name: "chain" }).v("1", {
      handler: async (run) => act.start(run, `${await act.start(run, "a")}b`),
    });
    const { sent, checkpoint } = byHand();
    const answer = new Orchestrator(chain).push({ checkpoint });
    await end("a");
    await untilTrue(() => sent.length === 1);
    await turns();
    expect(started).toEqual(["a"]);
    sent[0]?.ack(GO_ON);
    await end("ab");
    expect(started).toEqual(["a", "ab"]);
    expect(await answer).toMatchObject({ commands: [{ type: "task.completed" }, { type: "run.completed" }] });
    expect(sent).toHaveLength(1);
  });

  it("end while a checkpoint is in flight and travel in the next, together", async () => {
    const { act, end } = stage();
    const fan = workflow({ name: "fan" }).v("1", {
      async handler(run) {
        await Promise.all(["a", "b", "c", "d"].map((name) => act.start(run, name)));
      },
    });
    const { sent, checkpoint } = byHand();
    const answer = new Orchestrator(fan).push({ checkpoint });
    await end("a");
    await untilTrue(() => sent.length === 1);
    await end("c");
    await end("b");
    await turns();
    expect(sent).toHaveLength(1);
    sent[0]?.ack(GO_ON);
    await untilTrue(() => sent.length === 2);
    expect(sent[1]?.commands).toMatchObject([{ output: "c" }, { output: "b" }]);
    sent[1]?.ack(GO_ON);
    await end("d");
    expect(await answer).toMatchObject({ commands: [{ output: "d" }, { type: "run.completed" }] });
  });

  it("whose outputs are larger than one answer are flushed, and none runs again", async () => {
    const warned: unknown[] = [];
    let ran = 0;
    const large = task({ name: "large", handler: async (_n: number) => `${++ran}`.padEnd(1_900_000, "x") });
    const many = workflow({ name: "many" }).v("1", {
      async handler(run) {
        const all = await Promise.all([1, 2, 3, 4, 5].map((n) => large.start(run, n)));
        return all.map((text) => text.length);
      },
    });
    const of = new Orchestrator(many);
    const answer = await of.push({
      checkpoint: async (commands) => {
        expect(JSON.stringify(commands).length).toBeLessThan(4 * 1024 * 1024);
        return of.record(commands);
      },
      logger: { ...silent, warn: (...args: unknown[]) => void warned.push(args) },
    });
    expect(answer.state === "waiting" && answer.commands.at(-1)).toMatchObject({ type: "run.completed" });
    expect([ran, warned]).toEqual([5, []]);
  });
});

describe("news of a checkpoint", () => {
  it("is shown before results that came meanwhile, one at a time, in recorded order", async () => {
    const { act, end } = stage();
    const seen: string[] = [];
    const listen = workflow({ name: "listen" }).v("1", {
      async handler(run) {
        const note = async (name: string, done: Promise<unknown>) => {
          await done;
          seen.push(name);
          // What follows from the first is seen before the second is.
          await Promise.resolve().then(() => {});
          seen.push(`after ${name}`);
        };
        await Promise.all([
          note("second", run.events.second.wait()),
          note("first", run.events.first.wait()),
          note("a", act.start(run, "a")),
          note("b", act.start(run, "b")),
        ]);
      },
      events: { first: event<string>(), second: event<string>() },
    });
    const of = new Orchestrator(listen);
    const { sent, checkpoint } = byHand();
    const answer = of.push({ checkpoint });
    await end("a");
    // The waits of the first replay turn are recorded at once, so that nothing is missed while tasks run.
    await untilTrue(() => sent.length === 1);
    expect(sent[0]?.types).toEqual(["event.wait", "event.wait", "task.completed"]);
    await end("b");
    await turns();
    of.mailbox.set("first", ["x"]).set("second", ["y"]);
    const first = of.record(sent[0]?.commands ?? [], () => {
      of.settle("event:first#0");
      of.settle("event:second#0");
    });
    sent[0]?.ack(first);
    expect(await answer).toMatchObject({ commands: [{ output: "b" }, { type: "run.completed" }] });
    expect(seen).toEqual(["a", "first", "second", "b"].flatMap((name) => [name, `after ${name}`]));
  });

  it("runs a retry that comes due in the same invocation", async () => {
    const attempts: number[] = [];
    const flaky = task({
      name: "flaky",
      retry: RETRY,
      async handler(_input: undefined, { attempt }) {
        attempts.push(attempt);
        return attempt === 1 ? raise() : "at last";
      },
    });
    const both = workflow({ name: "both" }).v("1", {
      handler: async (run) => (await Promise.all([flaky.start(run), twice(run, "a")]))[0],
    });
    const of = new Orchestrator(both);
    const answer = await of.push({
      checkpoint: async (commands) =>
        of.record(commands, () => {
          for (const key of of.open()) of.settle(key);
        }),
    });
    expect(answer.state === "waiting" && answer.commands.at(-1)).toEqual({ type: "run.completed", output: "at last" });
    expect(attempts).toEqual([1, 2]);
  });

  it("gives a child with a reference id its start, and later its end", async () => {
    const leaf = workflow({ name: "leaf" }).v("1", { handler: async () => "" });
    const parent = workflow({ name: "parent" }).v("1", {
      async handler(run) {
        const child = await leaf.with("reference.id", "one").startAsChild(run);
        const [end] = await Promise.all([child.waitForStatus("completed"), twice(run, child.id)]);
        return end.success;
      },
    });
    const of = new Orchestrator(parent);
    const answer = await of.push({
      checkpoint: async (commands) =>
        of.record(commands, () => {
          if (commands.some(({ type }) => type === "task.completed")) of.settle(of.open()[0] ?? "");
        }),
    });
    expect(of.records.map(({ kind, value }) => `${kind} ${value.state}`)).toEqual([
      ...["child started", "wait waiting", "task completed", "child ended", "wait ended"],
    ]);
    expect(answer).toMatchObject({ commands: [{ type: "task.completed" }, { type: "run.completed", output: true }] });
  });

  it("waits for a call that the handler makes later", async () => {
    const { act, started, end } = stage(true);
    let goOn = (): void => {};
    const slow = workflow({ name: "slow" }).v("1", {
      async handler(run) {
        const both = Promise.all([act.start(run, "a"), act.start(run, "b")]);
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        const nap = await run.sleep("nap", 10);
        return [...(await both), nap.cancelled, await act.start(run, "c")];
      },
    });
    const of = new Orchestrator(slow);
    const fails = task({ name: "act", retry: RETRY, handler: (_name: string): string => raise() });
    const earlier = workflow({ name: "slow" }).v("1", {
      handler: (run) => Promise.all([run.sleep("nap", 10), ...["a", "b", "c"].map((name) => fails.start(run, name))]),
    });
    const recorded = await new Orchestrator(earlier).push();
    if (recorded.state !== "diverged") of.commit(recorded.commands);
    const [nap = "", a = "", b = "", c = ""] = of.open();
    of.settle(a);
    of.settle(b);

    const { sent, checkpoint } = byHand();
    const answer = of.push({ checkpoint });
    await end("a");
    await untilTrue(() => sent.length === 1);
    const news = of.record(sent[0]?.commands ?? [], () => {
      of.settle(nap);
      of.settle(c);
    });
    sent[0]?.ack(news);
    await turns();
    goOn();
    await end("b");
    await untilTrue(() => sent.length === 2);
    sent[1]?.ack(of.record(sent[1]?.commands ?? []));
    await end("c");
    const output = ["a", "b", false, "c"];
    expect(await answer).toMatchObject({ commands: [{ output: "c" }, { type: "run.completed", output }] });
    expect(started).toEqual(["a", "b", "c"]);
  });
});

describe("a checkpoint that fails", () => {
  const forked = () => {
    const { act, started, aborted, end } = stage();
    const fork = workflow({ name: "fork" }).v("1", {
      async handler(run) {
        const slow = act.start(run, "slow");
        await act.start(run, `${await act.start(run, "a")}b`);
        return slow;
      },
    });
    return { of: new Orchestrator(fork), started, aborted, end };
  };

  it("is the last: what runs is waited for, nothing new starts, and the answer says the same again", async () => {
    const { of, started, end } = forked();
    const { sent, checkpoint } = byHand();
    const answer = of.push({ checkpoint });
    await end("a");
    await untilTrue(() => sent.length === 1);
    sent[0]?.ack({ type: "failed" });
    await turns();
    expect(started).toEqual(["slow", "a"]);
    await end("slow");
    expect(await answer).toMatchObject({ state: "more", commands: [{ output: "a" }, { output: "slow" }] });
    expect([started, sent.length]).toEqual([["slow", "a"], 1]);
  });

  it("leaves out what earlier ones have recorded", async () => {
    const of = new Orchestrator(sequence, ["a", "b", "c"]);
    let count = 0;
    const answer = await of.push({
      checkpoint: async (commands) => (++count === 1 ? of.record(commands) : { type: "failed" }),
    });
    expect(answer).toMatchObject({ state: "more", commands: [{ output: "b" }] });
    expect(count).toBe(2);
  });

  it("for good, because nobody wants the invocation any more, aborts what runs", async () => {
    const { of, started, aborted, end } = forked();
    const { sent, checkpoint } = byHand();
    const answer = of.push({ checkpoint });
    await end("a");
    await untilTrue(() => sent.length === 1);
    sent[0]?.ack({ type: "unwanted" });
    expect(await answer).toMatchObject({ state: "more" });
    expect([started, aborted]).toEqual([["slow", "a"], ["slow"]]);
  });

  it("or asks for the answer, starts nothing new and waits for what runs", async () => {
    const { of, started, aborted, end } = forked();
    const { sent, checkpoint } = byHand();
    const answer = of.push({ checkpoint });
    await end("a");
    await untilTrue(() => sent.length === 1);
    sent[0]?.ack({ ...GO_ON, answer: true });
    await turns();
    await end("slow");
    expect(await answer).toMatchObject({ state: "more", commands: [{ output: "slow" }] });
    expect([started, aborted, sent.length]).toEqual([["slow", "a"], [], 1]);
  });

  it("asks for the answer when there is nothing to add: another push is all that is needed", async () => {
    const of = new Orchestrator(sequence, ["a", "b"]);
    const answer = await of.push({ checkpoint: async (commands) => ({ ...of.record(commands), answer: true }) });
    expect(answer).toEqual({ state: "more", commands: [] });
  });
});

describe("the time of an invocation", () => {
  /** Timers that run out when the test says so. */
  function timed() {
    const timers: { readonly ms: number; run(): void }[] = [];
    const setTimer = (ms: number, run: () => void): (() => void) => {
      timers.push({ ms, run });
      return () => {};
    };
    const pass = (ms: number): void => {
      for (const timer of timers.filter((one) => one.ms <= ms)) timer.run();
    };
    return { host: { ...stillHost, setTimer }, pass };
  }
  const chain = (act: ReturnType<typeof stage>["act"]) =>
    workflow({ name: "chain" }).v("1", {
      async handler(run) {
        for (const name of ["a", "b", "c"]) await act.start(run, name);
      },
    });

  it("when it is over during a checkpoint, the answer follows the acknowledgement", async () => {
    const { act, started, end } = stage();
    const { host, pass } = timed();
    const { sent, checkpoint } = byHand();
    const answer = new Orchestrator(chain(act)).push({ checkpoint, host, budgetMs: 1_000 });
    await end("a");
    await untilTrue(() => sent.length === 1);
    pass(1_000);
    await turns();
    sent[0]?.ack(GO_ON);
    expect(await answer).toEqual({ state: "more", commands: [] });
    expect(started).toEqual(["a"]);
  });

  it("fails a task that had all of it, and lets one that had less run again", async () => {
    const { act, aborted, end } = stage();
    const alone = timed();
    const first = new Orchestrator(chain(act)).push({
      checkpoint: async () => GO_ON,
      host: alone.host,
      budgetMs: 1_000,
    });
    await turns();
    alone.pass(1_000);
    expect(await first).toMatchObject({
      state: "more",
      commands: [{ type: "task.failed", error: { code: "OUT_OF_TIME" } }],
    });

    const { host, pass } = timed();
    const of = new Orchestrator(chain(act));
    const second = of.push({ checkpoint: async (commands) => of.record(commands), host, budgetMs: 1_000 });
    await turns();
    await end("a");
    await turns();
    pass(1_000);
    expect(await second).toEqual({ state: "more", commands: [] });
    expect(aborted).toEqual(["a", "b"]);
  });

  it("when half of it is over, leaves the next task to the next push", async () => {
    const { act, started, end } = stage();
    const { host, pass } = timed();
    const of = new Orchestrator(chain(act));
    let checkpoints = 0;
    const answer = of.push({
      host,
      budgetMs: 1_000,
      checkpoint: async (commands) => {
        checkpoints++;
        return of.record(commands);
      },
    });
    await end("a");
    await untilTrue(() => started.includes("b"));
    pass(500);
    await end("b");
    expect(await answer).toMatchObject({ state: "more", commands: [{ output: "b" }] });
    expect([started, checkpoints]).toEqual([["a", "b"], 1]);
  });
});

describe("log lines", () => {
  it("are written once, however a run is cut into invocations", async () => {
    const lines: string[] = [];
    const logger = { ...silent, info: (...args: unknown[]) => void lines.push(String(args.at(-1))) };
    const wordy = workflow({ name: "wordy" }).v("1", {
      async handler(run) {
        run.logger.info("start");
        for (const name of ["a", "b", "c"]) {
          await echo.start(run, name);
          run.logger.info(`did ${name}`);
        }
        await run.events.word.wait();
        run.logger.info("heard");
        await echo.start(run, "d");
        run.logger.info("end");
      },
      events: { word: event<string>() },
    });
    const of = new Orchestrator(wordy);
    of.logger = logger;
    of.mailbox.set("word", ["x"]);
    for (let round = 0; !of.end(); round++) {
      const answer = await of.push({
        checkpoint: async (commands) => ({ ...of.record(commands), answer: round === 0 }),
      });
      if (answer.state !== "diverged") of.commit(answer.commands);
      for (const key of of.open()) of.settle(key);
    }
    expect(of.pushes).toBeGreaterThan(1);
    expect(lines).toEqual(["start", "did a", "did b", "did c", "heard", "end"]);
  });
});
