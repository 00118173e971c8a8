/** Schemas inside a replay: what does not fit, and schemas that take their time. */
import { AikiError, event, type StandardSchemaV1, task, workflow } from "@aikirun/workflow";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { Orchestrator, silent } from "./orchestrator.js";

/** Answers after so many milliseconds, by the real clock: longer than a handler at rest is waited for. */
function slowly<Input, Output>(ms: (value: unknown) => number, schema: StandardSchemaV1<Input, Output>) {
  const { validate } = schema["~standard"];
  const slow: StandardSchemaV1<Input, Output> = {
    "~standard": {
      version: 1,
      vendor: "test",
      async validate(value) {
        await new Promise((resolve) => setTimeout(resolve, ms(value)));
        return validate(value);
      },
    },
  };
  return slow;
}
async function park(of: Orchestrator): Promise<void> {
  const answer = await of.push();
  if (answer.state !== "waiting") throw new Error(`It is ${answer.state}.`);
  of.commit(answer.commands);
}
const echo = task({ name: "echo", handler: async (value: string) => value });

describe("an event that does not fit", () => {
  it.each([
    ["zod", z.object({ by: z.string() })],
    ["valibot", v.object({ by: v.string() })],
    ["ArkType", type({ by: "string" })],
    ["asynchronous", slowly(() => 5, z.object({ by: z.string() }))],
  ] as [string, StandardSchemaV1<{ by: string }>][])(
    "rejects its wait, which the handler may catch (%s)",
    async (_name, schema) => {
      const of = new Orchestrator(
        workflow({ name: "signed" }).v("1", {
          async handler(run) {
            const wrong: unknown = await run.events.signed.wait().catch((error: unknown) => error);
            const { data } = await run.events.signed.wait();
            return [wrong instanceof AikiError && wrong.code, wrong instanceof Error && wrong.message, data];
          },
          events: { signed: event({ schema }) },
        }),
      );
      of.mailbox.set("signed", [{ by: 7 }, { by: "Ada" }]);
      expect(await of.finish()).toEqual({
        state: "completed",
        output: [
          "SCHEMA_INVALID",
          expect.stringMatching(/^The data of event signed does not match its schema: by.*string/),
          { by: "Ada" },
        ],
      });
    },
  );

  it("fails the run that does not catch it", async () => {
    const of = new Orchestrator(
      workflow({ name: "uncaught" }).v("1", {
        handler: async (run) => (await run.events.signed.wait()).data,
        events: { signed: event({ schema: z.string() }) },
      }),
    );
    of.mailbox.set("signed", [1]);
    expect(await of.finish()).toMatchObject({ state: "failed", error: { code: "SCHEMA_INVALID" } });
  });
});

describe("a schema that takes its time", () => {
  it("is waited for, although the run waits for something else too", async () => {
    const of = new Orchestrator(
      workflow({ name: "slow-event" }).v("1", {
        async handler(run) {
          const told = run.events.told.wait().then(({ data }) => echo.start(run, data));
          return Promise.race([told, run.sleep("long", 1_000_000).then(() => "slept")]);
        },
        events: { told: event({ schema: slowly(() => 40, z.string()) }) },
      }),
    );
    of.mailbox.set("told", ["news"]);
    await park(of);
    of.settle("event:told#0");
    expect(await of.push({ warnsOfPlainAwaits: true })).toMatchObject({
      commands: [
        { type: "task.completed", output: "news" },
        { type: "run.completed", output: "news" },
      ],
    });
  });

  it("is waited for when the handler comes to it by itself, after a plain await", async () => {
    const of = new Orchestrator(
      workflow({ name: "late-event" }).v("1", {
        async handler(run) {
          const told = async () => {
            await new Promise((resolve) => setImmediate(resolve));
            return (await run.events.told.wait()).data;
          };
          return Promise.race([told(), run.sleep("long", 1_000_000).then(() => "slept")]);
        },
        events: { told: event({ schema: slowly(() => 40, z.string()) }) },
      }),
    );
    of.mailbox.set("told", ["news"]);
    await park(of);
    of.settle("event:told#0");
    expect(await of.push()).toMatchObject({ commands: [{ type: "run.completed", output: "news" }] });
  });

  it("is waited for when it belongs to a child that is started after a plain await", async () => {
    const child = workflow({ name: "child" }).v("1", {
      schema: { input: slowly(() => 60, z.string()) },
      handler: async () => {},
    });
    const of = new Orchestrator(
      workflow({ name: "late-child" }).v("1", {
        async handler(run) {
          const start = async () => {
            await new Promise((resolve) => setImmediate(resolve));
            await child.startAsChild(run, "x");
            return "started";
          };
          return Promise.race([start(), run.sleep("long", 1_000_000).then(() => "slept")]);
        },
      }),
    );
    expect(await of.push()).toMatchObject({
      commands: [{ type: "sleep" }, { type: "child.start" }, { type: "run.completed", output: "started" }],
    });
  });

  it("does not let a later result overtake an earlier one", async () => {
    const seen: string[][] = [];
    const overtaken = workflow({ name: "overtaken" }).v("1", {
      async handler(run) {
        const order: string[] = [];
        seen.push(order);
        const wait = async () => void order.push((await run.events.told.wait()).data);
        await Promise.all([wait(), wait(), wait(), run.sleep("s", 1).then(() => order.push("slept"))]);
        return order;
      },
      events: { told: event({ schema: slowly((text) => (text === "first" ? 40 : 1), z.string()) }) },
    });
    const of = new Orchestrator(overtaken);
    of.mailbox.set("told", ["first", "second", "third"]);
    await park(of);
    for (const key of ["event:told#0", "event:told#1", "sleep:s#0", "event:told#2"]) of.settle(key);
    expect(await of.finish()).toEqual({ state: "completed", output: ["first", "second", "slept", "third"] });
  });

  it("of an input, an output, a task and a child is no plain await, and replays", async () => {
    const slow = slowly(() => 10, z.string());
    const shout = task({ name: "shout", schema: { input: slow, output: slow }, handler: async (text) => `${text}!` });
    const child = workflow({ name: "child" }).v("1", { schema: { input: slow }, handler: async () => "child" });
    const all = workflow({ name: "all" }).v("1", {
      schema: { input: slow, output: slow },
      async handler(run, input) {
        const started = await child.startAsChild(run, input);
        const ended = await started.waitForStatus("completed");
        return `${await shout.start(run, input)} ${ended.success}`;
      },
    });
    const warnings: unknown[] = [];
    const of = new Orchestrator(all, "hey");
    of.logger = { ...silent, warn: (line: unknown) => void warnings.push(line) };
    while (!of.end()) {
      const answer = await of.push({ warnsOfPlainAwaits: true });
      if (answer.state === "diverged") throw new Error("diverged");
      of.commit(answer.commands);
      const [open] = of.open();
      if (!of.end() && open) of.settle(open);
    }
    expect(of.end()).toEqual({ state: "completed", output: "hey! true" });
    expect(warnings).toEqual([]);
    expect(await of.compare({ records: of.records.slice(0, -1) })).toEqual({ fits: true });
  });

  it("and never answers lets the invocation end with the host's time", async () => {
    const never = slowly(() => 1_000_000, z.string());
    const input = workflow({ name: "never" }).v("1", { schema: { input: never }, handler: async () => {} });
    expect(await new Orchestrator(input, "x").push({ budgetMs: 20 })).toEqual({ state: "more", commands: [] });
    const of = new Orchestrator(
      workflow({ name: "never-event" }).v("1", {
        handler: async (run) => (await run.events.told.wait()).data,
        events: { told: event({ schema: never }) },
      }),
    );
    of.mailbox.set("told", ["x"]);
    await park(of);
    of.settle("event:told#0");
    expect(await of.push({ budgetMs: 20 })).toEqual({ state: "more", commands: [] });
  });
});

describe("a value is checked as the JSON that is recorded", () => {
  it("for a child, whose start is refused in the parent, catchably", async () => {
    const dated = workflow({ name: "dated" }).v("1", {
      schema: { input: z.object({ at: z.date() }) },
      handler: async () => {},
    });
    const of = new Orchestrator(
      workflow({ name: "parent" }).v("1", {
        handler: async (run) =>
          dated.startAsChild(run, { at: new Date(0) }).then(
            () => "",
            (error: Error) => error.message,
          ),
      }),
    );
    expect(await of.finish()).toEqual({
      state: "completed",
      output: expect.stringMatching(
        /^The input of child dated@1, as JSON, does not match its schema: at: .*received string/,
      ),
    });
  });
});
