/** Schemas of real libraries in a real endpoint, inputs and events over plain HTTP as another language would send them. */
import { client } from "@aikirun/client";
import { newId } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import type { ServerOptions } from "../../src/shell/node.js";
import { memoryStore } from "../../src/store/memory.js";
import type { Store } from "../../src/store/port.js";
import { testDatabase } from "../store/database.js";
import { startApp } from "./app.js";
import { type Started, start } from "./server.js";

const remind = task({
  name: "remind",
  schema: { input: z.object({ at: z.coerce.date() }), output: z.string().max(40) },
  handler: ({ at }) => at.toISOString(),
});
/** What a caller gives is not what the handler sees: JSON Schema can say little of the former. */
const orders = workflow({ name: "orders" });
const ordersV1 = orders.v("1.0.0", {
  schema: {
    input: z.object({
      customer: z.object({ email: z.string().trim().max(12) }),
      cents: z.coerce.number().int(),
      at: z.coerce.date(),
      express: z.boolean().default(false),
      contact: z.email().optional(),
    }),
  },
  async handler(run, { customer, cents, at, express }) {
    const reminded = await remind.start(run, { at });
    const { data } = await run.events.paid.wait();
    return { email: customer.email, cents, express, reminded, paid: data.by, on: data.on instanceof Date };
  },
  events: { paid: event({ schema: z.object({ by: z.string().min(1), on: z.coerce.date() }) }) },
});
const ordersV2 = orders.v("2.0.0", {
  handler: async (run) => (await run.events.paid.wait()).data,
  events: { paid: event({ schema: z.object({ amount: z.number() }) }) },
});
const valibotV1 = workflow({ name: "valibot" }).v("1", {
  schema: {
    input: toStandardJsonSchema(
      v.object({
        at: v.pipe(
          v.string(),
          v.isoTimestamp(),
          v.transform((text) => new Date(text)),
        ),
        n: v.optional(v.number(), 7),
      }),
    ),
  },
  handler: async (_run, { at, n }) => ({ year: at.getUTCFullYear(), n }),
});
const arkV1 = workflow({ name: "ArkType" }).v("1", {
  schema: { input: type({ at: "string.date.parse", "tags?": "string[]" }) },
  handler: async (_run, { at, tags }) => ({ year: at.getUTCFullYear(), tags: tags ?? [] }),
});
/** JSON Schema has nothing for it: only the endpoint can tell. */
const taken = new Set(["ada"]);
const slowV1 = workflow({ name: "slow" }).v("1", {
  schema: {
    input: z.object({
      name: z.string().refine(async (name) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return !taken.has(name);
      }, "is taken"),
    }),
  },
  handler: async (_run, { name }) => name,
});
const optionalV1 = workflow({ name: "optional" }).v("1", {
  schema: { input: z.object({ n: z.number() }).default({ n: 1 }) },
  handler: async (_run, { n }) => n,
});
const oddlyNamedV1 = workflow({ name: "odd/name ü" }).v("1", { handler: async () => {} });
const all = [ordersV1, ordersV2, valibotV1, arkV1, slowV1, optionalV1, oddlyNamedV1];
const GOOD = { customer: { email: " a@b.test " }, cents: "999", at: "2026-11-25T12:00:00.000Z" };

const databases: [string, () => Promise<Partial<ServerOptions>>][] = [
  ["in memory", async () => ({ store: memoryStore() })],
  [
    "on Postgres",
    async () => {
      const database = await testDatabase();
      onTestFinished(() => database.close());
      return { settings: { DATABASE_URL: database.url } };
    },
  ],
];

async function serving(options: Partial<ServerOptions>) {
  const aiki = await start("dev", options);
  const app = await startApp(aiki.server.url, all);
  expect((await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } })).status).toBe(201);
  return { aiki, app, run: (name: string, input?: unknown, version = "1") => startRun(aiki, name, version, input) };
}

async function startRun(aiki: Started, name: string, version: string, input: unknown) {
  const body = { id: newId("run"), workflow: name, version, ...(input !== undefined && { input }) };
  const { status, json } = await aiki.call("POST", "/v1/runs", { body });
  return { status, id: body.id, error: json.error };
}

const ended = async ({ call }: Started, id: string) =>
  (await call("GET", `/v1/runs/${id}/wait?timeoutMs=20000`)).json.run;
const count = async ({ call }: Started) => (await call("GET", "/v1/runs")).json.runs.length;

describe.each(databases)("an input over plain HTTP, %s", (_where, database) => {
  it("that does not fit is refused with its path, before a run exists", async () => {
    const { aiki, run } = await serving(await database());
    const wrong = await run("orders", { ...GOOD, customer: { email: "far.too.long@example.test" } }, "1.0.0");
    expect(wrong.status).toBe(400);
    expect(wrong.error.code).toBe("SCHEMA_INVALID");
    expect(wrong.error.message).toMatch(
      /^The input of orders@1\.0\.0 does not match its schema: customer\.email: .+ aiki workflows get orders@1\.0\.0 shows/,
    );
    const refused = [
      await run("orders", { ...GOOD, customer: {} }, "1.0.0"),
      await run("orders", undefined, "1.0.0"),
      await run("orders", { ...GOOD, contact: "nobody" }, "1.0.0"),
      await run("valibot", { at: 7 }),
      await run("valibot", { at: "2026-11-25T12:00:00.000Z", n: "7" }),
      await run("ArkType", { at: "2026-11-25", tags: [1] }),
      await run("slow", { name: 1 }),
    ];
    expect(refused.map(({ status, error }) => [status, error.code])).toEqual(
      refused.map(() => [400, "SCHEMA_INVALID"]),
    );
    expect(refused.map(({ error }) => String([error.details?.["issues"]].flat()[0]))).toEqual([
      expect.stringMatching(/^customer\.email: /),
      expect.stringMatching(/expected object, received undefined/),
      expect.stringMatching(/^contact: .*email/),
      expect.stringMatching(/^at: .*string/i),
      expect.stringMatching(/^n: .*number/i),
      expect.stringMatching(/^tags\.0: .*string/),
      expect.stringMatching(/^name: /),
    ]);
    expect(await count(aiki)).toBe(0);
  });

  it("that a schema trims, coerces or fills in is taken, and the handler sees what came of it", async () => {
    const { aiki, run } = await serving(await database());
    const order = await run("orders", GOOD, "1.0.0");
    expect(order.status).toBe(201);
    const paid = { body: { name: "paid", data: { by: "Ada", on: "2026-11-26" } } };
    expect((await aiki.call("POST", `/v1/runs/${order.id}/events`, paid)).status).toBe(200);
    expect(await ended(aiki, order.id)).toMatchObject({
      status: "completed",
      input: GOOD,
      output: { email: "a@b.test", cents: 999, express: false, reminded: GOOD.at, paid: "Ada", on: true },
    });
    const others = [
      await run("valibot", { at: "2026-11-25T12:00:00.000Z" }),
      await run("ArkType", { at: "2026-11-25", tags: ["a"] }),
      await run("slow", { name: "Bob" }),
      await run("optional"),
    ];
    const outputs = await Promise.all(others.map(async ({ id }) => (await ended(aiki, id)).output));
    expect(outputs).toEqual([{ year: 2026, n: 7 }, { year: 2026, tags: ["a"] }, "Bob", 1]);
  });

  it("that only the schema itself can refuse fails the run, with the schema's words", async () => {
    const { aiki, run } = await serving(await database());
    const { status, id } = await run("slow", { name: "ada" });
    expect(status).toBe(201);
    expect(await ended(aiki, id)).toMatchObject({
      status: "failed",
      error: { code: "SCHEMA_INVALID", message: expect.stringContaining("name: is taken") },
    });
  });

  it("is refused alone among many, and the others start", async () => {
    const { aiki } = await serving(await database());
    const runs = [GOOD, { ...GOOD, customer: {} }, GOOD].map((input) => ({
      id: newId("run"),
      workflow: "orders",
      version: "1.0.0",
      input,
    }));
    const { status, json } = await aiki.call("POST", "/v1/runs/batch", { body: { runs } });
    expect(status).toBe(200);
    expect(json.outcomes).toMatchObject([
      { outcome: "created", run: { id: runs[0]?.id } },
      { outcome: "error", error: { code: "SCHEMA_INVALID", message: expect.stringContaining("customer.email: ") } },
      { outcome: "created", run: { id: runs[2]?.id } },
    ]);
    expect(await count(aiki)).toBe(2);
  });

  it("of a schedule is refused before there is one", async () => {
    const { aiki } = await serving(await database());
    const activate = (input: unknown) =>
      aiki.call("POST", "/v1/schedules", {
        body: { workflow: "orders", version: "1.0.0", input, recurrence: { type: "interval", everyMs: 86_400_000 } },
      });
    const refused = await activate({ ...GOOD, customer: {} });
    expect([refused.status, refused.json.error.code]).toEqual([400, "SCHEMA_INVALID"]);
    expect((await aiki.call("GET", "/v1/schedules")).json.schedules).toEqual([]);
    expect((await activate(GOOD)).status).toBe(201);
  });

  it("for a version that nobody serves yet is taken", async () => {
    const { run } = await serving(await database());
    expect((await run("orders", { anything: true }, "3.0.0")).status).toBe(201);
  });
});

describe.each(databases)("an event over plain HTTP, %s", (_where, database) => {
  it("is held against the schema of the run's own version, with an outcome for each run of many", async () => {
    const { aiki, run } = await serving(await database());
    const [one, two] = [await run("orders", GOOD, "1.0.0"), await run("orders", undefined, "2.0.0")];
    const send = (id: string, data?: unknown) =>
      aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "paid", ...(data !== undefined && { data }) } });
    const wrong = await send(one.id, { amount: 1 });
    expect([wrong.status, wrong.json.error.code]).toEqual([400, "SCHEMA_INVALID"]);
    expect(wrong.json.error.message).toMatch(
      /^The data of event paid of orders@1\.0\.0 does not match its schema: by: /,
    );
    expect((await send(two.id, { by: "Ada", on: 0 })).json.error.message).toMatch(/orders@2\.0\.0 .*amount: /);
    expect((await send(two.id)).json.error.code).toBe("SCHEMA_INVALID");
    expect((await send(newId("run"), {})).json.error.code).toBe("NOT_FOUND");

    const runs = [{ id: one.id }, { id: two.id }, { id: newId("run") }];
    const body = { name: "paid", data: { amount: 5 }, runs };
    expect((await aiki.call("POST", "/v1/events", { body })).json.outcomes.map(({ outcome }) => outcome)).toEqual([
      "schema_invalid",
      "sent",
      "not_found",
    ]);
    expect(await ended(aiki, two.id)).toMatchObject({ status: "completed", output: { amount: 5 } });
    await send(one.id, { by: "Ada", on: "2026-11-26" });
    expect(await ended(aiki, one.id)).toMatchObject({ status: "completed", output: { paid: "Ada" } });
    const { records } = (await aiki.call("GET", `/v1/runs/${one.id}/history`)).json;
    expect(records.filter(({ value }) => value.state === "received")).toHaveLength(1);
  });
});

describe("a version's own page", () => {
  it("shows what it takes, gives and receives, whatever its name", async () => {
    const { aiki, run } = await serving({});
    await run("orders", undefined, "2.0.0");
    const typed = client({ url: aiki.server.url, apiKey: "any" });
    expect(await typed.getWorkflow("orders", "1.0.0")).toMatchObject({
      name: "orders",
      version: "1.0.0",
      live: 0,
      input: { type: "object", required: ["customer", "cents", "at"] },
      events: [{ name: "paid", schema: { properties: { by: { minLength: 1 } } } }],
    });
    expect(await typed.getWorkflow("odd/name ü", "1")).toMatchObject({ name: "odd/name ü", events: [] });
    await run("orders", undefined, "3.0.0");
    expect(await typed.getWorkflow("orders", "3.0.0")).toEqual({
      name: "orders",
      version: "3.0.0",
      live: 1,
      waiting: 1,
      workers: 0,
      events: [],
    });
    await expect(typed.getWorkflow("orders", "4.0.0")).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("Nobody serves orders@4.0.0"),
    });
  });
});

describe("who decides", () => {
  it("is the JSON Schema when the endpoint does not answer", async () => {
    const { app, run } = await serving({});
    app.intercept(() => new Response("", { status: 503 }));
    const wrong = await run("orders", { ...GOOD, customer: {} }, "1.0.0");
    expect(wrong.error).toMatchObject({ code: "SCHEMA_INVALID", details: { issues: ["customer.email: is missing"] } });
    expect((await run("orders", { ...GOOD, cents: 7 }, "1.0.0")).status).toBe(201);
    // Whether an input may be left out no JSON Schema can say.
    expect((await run("optional")).status).toBe(201);
  });

  it("is the app's code of now: a schema that was relaxed is not held against anybody", async () => {
    const { aiki, app, run } = await serving({});
    const relaxed = workflow({ name: "ArkType" }).v("1", { handler: async (_run, input: unknown) => input });
    expect((await run("ArkType", { at: 7 })).status).toBe(400);
    app.serve([relaxed]);
    const { id } = await run("ArkType", { at: 7 });
    expect(await ended(aiki, id)).toMatchObject({ status: "completed", output: { at: 7 } });
  });

  it("asks nobody, and the store for nothing more, when an input fits", async () => {
    const store = memoryStore();
    const asked: string[] = [];
    const watched = new Proxy(store, {
      get(target, name: keyof Store) {
        const verb = target[name];
        if (typeof verb !== "function") return verb;
        return (...args: never[]) => {
          asked.push(name);
          return (verb as (...args: never[]) => unknown).apply(target, args);
        };
      },
    });
    const { aiki, app } = await serving({ store: watched });
    const before = app.requests;
    asked.length = 0;
    const input = { at: "2026-11-25T12:00:00.000Z" };
    const body = { workflow: "valibot", version: "1", input, trigger: { type: "delayed", delayMs: 3_600_000 } };
    expect((await aiki.call("POST", "/v1/runs", { body })).status).toBe(201);
    expect(asked.filter((verb) => /start|versionsOf|getRun|find/.test(verb))).toEqual(["start"]);
    expect(app.requests).toBe(before);
  });
});

describe("an input through the typed SDK", () => {
  it("is refused where it is started, as the JSON that the handler would get", async () => {
    const { aiki, run } = await serving({});
    const typed = client({ url: aiki.server.url, apiKey: "any" });
    await expect(
      ordersV1.start(typed, { ...GOOD, customer: { email: "far.too.long@example.test" } }),
    ).rejects.toMatchObject({
      code: "SCHEMA_INVALID",
      message: expect.stringContaining("customer.email"),
    });
    await expect(slowV1.start(typed, { name: "ada" })).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    const date = workflow({ name: "date" }).v("1", { schema: { input: z.date() }, handler: async () => {} });
    await expect(date.start(typed, new Date())).rejects.toMatchObject({
      code: "SCHEMA_INVALID",
      message: expect.stringMatching(
        /^The input of date@1, as JSON, does not match its schema: .*expected date, received string/,
      ),
    });
    expect(await count(aiki)).toBe(0);
    const handle = await ordersV1.start(typed, { ...GOOD, at: new Date(GOOD.at) });
    await expect(handle.events.paid.send({ by: "", on: new Date() })).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    await handle.events.paid.send({ by: "Ada", on: new Date() });
    expect(await handle.waitForStatus("completed")).toMatchObject({ success: true, state: { output: { on: true } } });
    expect((await run("orders", GOOD, "1.0.0")).status).toBe(201);
  });
});
