/** What handlers and tasks write, through a real pino and through loggers that lack `child`. */
import { event, type Logger, RetryAfterError, task, workflow } from "@aikirun/workflow";
import { History } from "@aikirun/workflow/replay";
import pino from "pino";
import { describe, expect, it } from "vitest";
import { Orchestrator, RUN_ID, silent } from "./orchestrator.js";

interface Line {
  readonly msg: string;
  readonly [field: string]: unknown;
}

function pinoLines(): { logger: Logger; lines: Line[]; messages(): string[] } {
  const lines: Line[] = [];
  const logger = pino(
    { level: "trace", base: null, timestamp: false },
    { write: (line) => void lines.push(JSON.parse(line)) },
  );
  return { logger, lines, messages: () => lines.map(({ msg }) => msg) };
}

const echo = task({ name: "echo", handler: async (value: string) => value });
const hang = task({ name: "hang", handler: (_which: string) => new Promise<void>(() => {}) });
const after = (order: readonly string[]) => (open: string[]) =>
  order.map((name) => open.find((key) => key.includes(`:${name}`))).find((key) => key !== undefined);

describe("a pino logger", () => {
  it("carries the run in handlers and the attempt in tasks as bindings, down to children of children", async () => {
    const flaky = task({
      name: "flaky",
      retry: { type: "fixed", maxAttempts: 2, delayMs: 5 },
      async handler(_input: undefined, { attempt, logger }) {
        logger.warn({ cents: 5 }, "trying");
        logger.child?.({ part: "inner" }).debug("inside");
        if (attempt === 1) throw new Error("no");
      },
    });
    const { logger, lines } = pinoLines();
    const of = new Orchestrator(
      workflow({ name: "bound" }).v("1", {
        async handler(run) {
          run.logger.info({ step: 1 }, "start");
          await flaky.start(run);
          run.logger.child?.({ part: "end" }).info("done");
        },
      }),
    );
    of.logger = logger;
    await of.finish();
    const run = { run: RUN_ID, workflow: "bound@1" };
    const attempt = (taskAttempt: number) => ({ ...run, task: "flaky", taskAttempt });
    expect(lines).toEqual([
      { level: 30, ...run, step: 1, msg: "start" },
      { level: 40, ...attempt(1), cents: 5, msg: "trying" },
      { level: 20, ...attempt(1), part: "inner", msg: "inside" },
      { level: 40, ...attempt(2), cents: 5, msg: "trying" },
      { level: 20, ...attempt(2), part: "inner", msg: "inside" },
      { level: 30, ...run, part: "end", msg: "done" },
    ]);
  });

  it("is asked for no child by whoever writes nothing", async () => {
    let children = 0;
    const logger: Logger = {
      ...silent,
      child() {
        children++;
        return logger;
      },
    };
    const of = new Orchestrator(
      workflow({ name: "quiet" }).v("1", { handler: async (run) => void (await echo.start(run, "a")) }),
    );
    of.logger = logger;
    await of.finish();
    expect(children).toBe(0);
  });
});

describe("a logger without child", () => {
  it("is used as it is", async () => {
    const lines: unknown[] = [];
    const logger: Logger = { ...silent, info: (...line: unknown[]) => void lines.push(line) };
    const of = new Orchestrator(
      workflow({ name: "plain" }).v("1", {
        async handler(run) {
          run.logger.info({ a: 1 }, "both");
          run.logger.info("alone");
          expect(run.logger.child).toBeUndefined();
        },
      }),
    );
    of.logger = logger;
    await of.finish();
    expect(lines).toEqual([[{ a: 1 }, "both"], ["alone"]]);
  });
});

describe("lines of a handler are written once", () => {
  it("over retries, also those of a child logger", async () => {
    const later = task({
      name: "later",
      async handler(_input: undefined, { attempt }) {
        if (attempt < 4) throw new RetryAfterError(10);
        return attempt;
      },
    });
    const { logger, messages } = pinoLines();
    const of = new Orchestrator(
      workflow({ name: "retries" }).v("1", {
        async handler(run) {
          const lines = run.logger.child?.({ part: "all" }) ?? run.logger;
          lines.info("before");
          const attempts = await later.start(run);
          lines.info(`after ${attempts}`);
          await run.sleep("s", 1);
          run.logger.info("slept");
        },
      }),
    );
    of.logger = logger;
    await of.finish();
    expect(messages()).toEqual(["before", "after 4", "slept"]);
  });

  it.each([
    ["the event wins", ["go", "slow", "s"], ["race event", "after", "late sleep"]],
    ["the sleep wins", ["slow", "s", "go"], ["race sleep", "late sleep", "after"]],
  ])("over a race in which %s", async (_what, order, expected) => {
    const { logger, messages } = pinoLines();
    const of = new Orchestrator(
      workflow({ name: "race" }).v("1", {
        async handler(run) {
          const slow = run.sleep("slow", 20).then(() => run.logger.info("late sleep"));
          const winner = await Promise.race([
            run.events.go.wait().then(() => "event"),
            run.sleep("s", 10).then(() => "sleep"),
            slow.then(() => "sleep"),
          ]);
          run.logger.info(`race ${winner}`);
          await echo.start(run, "x");
          run.logger.info("after");
          await slow;
        },
        events: { go: event<number>() },
      }),
    );
    of.mailbox.set("go", [1]);
    of.logger = logger;
    await of.finish(after(order));
    expect(messages().toSorted()).toEqual(expected.toSorted());
  });

  it("over branches that go on at the same time", async () => {
    const { logger, messages } = pinoLines();
    const of = new Orchestrator(
      workflow({ name: "branches" }).v("1", {
        async handler(run) {
          const branch = async (name: string) => {
            for (let i = 0; i < 3; i++) {
              await echo.start(run, `${name}${i}`);
              run.logger.info(`${name} did ${i}`);
              await run.sleep(`${name}${i}`, 10);
              run.logger.info(`${name} slept ${i}`);
            }
          };
          await Promise.all([branch("a"), branch("b"), branch("c")]);
          run.logger.info("joined");
        },
      }),
    );
    of.logger = logger;
    // A branch that has ended asks for nothing: only an endpoint that keeps the history knows that it was run.
    const kept = new History([]);
    let turn = 0;
    for (let known = 0; !of.end(); ) {
      const answer = await of.push({ history: kept.extended(of.records.slice(known)) });
      known = of.records.length;
      if (answer.state === "diverged") throw new Error("diverged");
      of.commit(answer.commands);
      const open = of.open();
      if (answer.state === "waiting" && !of.end()) of.settle(open[turn++ % open.length] ?? "");
    }
    const all = ["a", "b", "c"].flatMap((name) => [0, 1, 2].flatMap((i) => [`${name} did ${i}`, `${name} slept ${i}`]));
    expect(messages().toSorted()).toEqual([...all, "joined"].toSorted());
  });

  it("over what came with a checkpoint and led to nothing that is recorded", async () => {
    const { logger, messages } = pinoLines();
    const of = new Orchestrator(
      workflow({ name: "news" }).v("1", {
        async handler(run) {
          const hear = async () => run.logger.info(`heard ${(await run.events.told.wait()).data}`);
          const work = async () => {
            await echo.start(run, "a");
            await echo.start(run, "b");
            run.logger.info("worked");
          };
          await Promise.all([hear(), work()]);
        },
        events: { told: event<string>() },
      }),
    );
    of.mailbox.set("told", ["news"]);
    of.logger = logger;
    const kept = new History([]);
    const first = await of.push({
      history: kept,
      checkpoint: async (commands) => ({
        ...of.record(commands, () => of.settle("event:told#0")),
        answer: true,
      }),
    });
    expect(first).toEqual({ state: "more", commands: [] });
    expect(messages()).toEqual(["heard news"]);
    expect(await of.push({ history: kept.extended(of.records) })).toMatchObject({
      commands: [{ type: "task.completed" }, { type: "run.completed" }],
    });
    expect(messages()).toEqual(["heard news", "worked"]);
  });

  it("over an answer whose tasks all ran out of time", async () => {
    const { logger, messages } = pinoLines();
    const of = new Orchestrator(
      workflow({ name: "late" }).v("1", {
        async handler(run) {
          run.logger.info("start");
          await echo.start(run, "first");
          run.logger.info("did first");
          const settle = async (which: string) => {
            await hang.start(run, which).catch(() => run.logger.info(`${which} was late`));
          };
          await Promise.all([settle("a"), settle("b"), settle("c")]);
          run.logger.info("went on");
          await run.sleep("s", 1);
          run.logger.info("end");
        },
      }),
    );
    of.logger = logger;
    for (let push = 0; !of.end() && push < 20; push++) {
      const answer = await of.push({ budgetMs: 30 });
      if (answer.state === "diverged") throw new Error("diverged");
      of.commit(answer.commands);
      if (answer.state === "waiting" && !of.end()) of.settle(of.open()[0] ?? "");
    }
    expect(messages()).toEqual(["start", "did first", "a was late", "b was late", "c was late", "went on", "end"]);
  });
});
