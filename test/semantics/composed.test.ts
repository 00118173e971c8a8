/** What a handler makes of several things at a time, and of what is not durable. */
import { setTimeout as delay } from "node:timers/promises";
import { AikiError, event, task, workflow } from "@aikirun/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { type Stage, stage } from "./stage.js";

const echo = task({ name: "echo", handler: async (value: number) => value });
const fails = task({
  name: "fails",
  async handler(message: string): Promise<number> {
    throw new RangeError(message);
  },
});
const double = workflow({ name: "double" }).v("1", { handler: async (_run, n: number) => 2 * n });
const nested = workflow({ name: "nested" }).v("1", {
  events: { go: event<string>(), also: event() },
  async handler(run) {
    const asked = Promise.all([
      run.race([run.events.go.wait().then(({ data }) => data), run.sleep("patience", { hours: 1 }).then(() => "late")]),
      Promise.allSettled([fails.start(run, "no"), run.events.also.wait(), Promise.all([echo.start(run, 1)])]),
    ]);
    const any = await Promise.any([fails.start(run, "neither"), echo.start(run, 2)]);
    const child = await double.startAsChild(run, any);
    const end = await child.waitForStatus("completed");
    const [first, settled] = await asked;
    return { first, any, child: end.success && end.state.output, settled: settled.map(({ status }) => status) };
  },
});
const plain = workflow({ name: "plain" }).v("1", {
  async handler(run) {
    await delay(5);
    const one = await echo.start(run, 1);
    await delay(5);
    await run.sleep("nap", 20);
    const two = await echo.start(run, one + 1);
    await delay(5);
    return [one, two];
  },
});
const AT = "2026-11-26T12:00:00.000Z";
const dated = task({
  name: "dated",
  handler: async (input: { at: Date }) => ({ given: typeof input.at, at: new Date(AT) }),
});
const values = workflow({ name: "values" }).v("1", {
  events: { nap: event() },
  async handler(run) {
    const first = await dated.start(run, { at: new Date(AT) });
    await run.events.nap.wait();
    return [typeof first.at, first];
  },
});
const unspeakable = task({
  name: "unspeakable",
  handler: async () => ({ list: [1, { n: 10n as unknown as number }] }),
});
const unrecorded = workflow({ name: "unrecorded" }).v("1", { handler: (run) => unspeakable.start(run) });
const checked = workflow({ name: "checked" }).v("1", {
  schema: { input: z.object({ cents: z.number().int() }), output: z.object({ paid: z.string().max(5) }) },
  events: { paid: event({ schema: z.object({ by: z.string().min(1) }) }) },
  async handler(run, { cents }) {
    const { data } = await run.events.paid.wait();
    return { paid: `${data.by} ${cents}` };
  },
});

let on: Stage;
beforeAll(async () => {
  on = await stage([double, nested, plain, values, unrecorded, checked]);
});
afterAll(() => on?.close());
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: unknown) => (error instanceof AikiError ? error.code : String(error)),
  );

describe("a handler", () => {
  it("waits for tasks, sleeps, events and children in any nesting", async () => {
    const handle = await nested.start(on.aiki);
    const waitsFor = (names: string) =>
      on.until(handle.id, (run) => run.waitsFor.map(({ name }) => name).join() === names);
    await waitsFor("go,patience,also");
    await handle.events.also.send();
    await waitsFor("go,patience");
    await handle.events.go.send("now");
    expect(await handle.waitForStatus("completed")).toMatchObject({
      state: { output: { first: "now", any: 2, child: 4, settled: ["rejected", "fulfilled", "fulfilled"] } },
    });
  });

  it("may await what is not durable", async () => {
    const handle = await plain.start(on.aiki);
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: [1, 2] } });
  });

  it("sees of a result what is recorded, the first time too", async () => {
    const handle = await values.start(on.aiki);
    await handle.events.nap.send();
    const output = ["string", { given: "string", at: AT }];
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output } });
  });

  it("fails with the path of a value that cannot be recorded", async () => {
    const handle = await unrecorded.start(on.aiki);
    const end = await handle.waitForStatus("failed");
    const cause = { code: "NOT_SERIALIZABLE", message: expect.stringContaining("list[1].n") };
    expect(end).toMatchObject({ state: { error: { code: "TASK_FAILED", cause } } });
  });
});

describe("a schema", () => {
  it("refuses an input before there is a run, and an event before it is sent", async () => {
    expect(await codeOf(checked.start(on.aiki, { cents: 0.5 }))).toBe("SCHEMA_INVALID");
    const handle = await checked.start(on.aiki, { cents: 9 });
    expect(await codeOf(handle.events.paid.send({ by: "" }))).toBe("SCHEMA_INVALID");
    await handle.events.paid.send({ by: "Ada" });
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: { paid: "Ada 9" } } });
    expect((await on.aiki.listRuns({ workflow: "checked" })).runs).toHaveLength(1);
  });

  it("refuses an output, which fails the run", async () => {
    const handle = await checked.start(on.aiki, { cents: 9_999 });
    await handle.events.paid.send({ by: "Ada" });
    expect(await handle.waitForStatus("failed")).toMatchObject({ state: { error: { code: "SCHEMA_INVALID" } } });
  });
});
