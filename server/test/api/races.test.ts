import { newId, type OpenWait } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ServerOptions } from "../../src/shell/node.js";
import { memoryStore } from "../../src/store/memory.js";
import { testDatabase } from "../store/database.js";
import { type App, startApp } from "./app.js";
import { type Started, start } from "./server.js";

const note = task({ name: "note", handler: async (text: string) => text });
const survey = workflow({ name: "survey" }).v("1.0.0", {
  events: { done: event<string>() },
  handler: async (run) => (await run.events.done.wait()).data,
});
const approval = workflow({ name: "approval" }).v("1.0.0", {
  events: { yes: event<string>(), no: event<string>() },
  async handler(run) {
    const decide = () =>
      run.race([
        run.events.yes.wait().then(({ data }) => `yes ${data}`),
        run.events.no.wait().then(({ data }) => `no ${data}`),
        run.sleep("patience", { hours: 1 }).then(() => "silence"),
      ]);
    const first = await note.start(run, await decide());
    return [first, await decide()];
  },
});
const impatient = workflow({ name: "impatient" }).v("1.0.0", {
  events: { word: event<string>() },
  async handler(run) {
    const child = await survey.startAsChild(run);
    const stopped = new AbortController();
    const word = run.events.word.wait({ signal: stopped.signal });
    const first = await run.race([child.waitForStatus("completed"), run.sleep("patience", 30)]);
    stopped.abort("too late");
    const seen = await word.then(({ data }) => data).catch((reason: string) => reason);
    const end = await child.waitForStatus("completed");
    return [first, seen, (await run.events.word.wait()).data, end.success && end.state.output];
  },
});

/** Polls end when it is so; the time only bounds how long a failure takes. */
const SOON = { timeout: 20_000 };

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

async function stage(options: Partial<ServerOptions>): Promise<{ aiki: Started; app: App }> {
  const aiki = await start("dev", options);
  const app = await startApp(aiki.server.url, [approval, impatient, survey]);
  expect((await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } })).status).toBe(201);
  return { aiki, app };
}

async function startRun({ call }: Started, name: string): Promise<string> {
  const id = newId("run");
  expect((await call("POST", "/v1/runs", { body: { id, workflow: name, version: "1.0.0" } })).status).toBe(201);
  return id;
}

const send = async ({ call }: Started, id: string, name: string, data: string) =>
  expect((await call("POST", `/v1/runs/${id}/events`, { body: { name, data } })).status).toBeLessThan(300);
const ended = async ({ call }: Started, id: string) => (await call("GET", `/v1/runs/${id}/wait?timeoutMs=20000`)).json;
const waits = async ({ call }: Started, id: string) => {
  const { status, waitsFor = [] } = (await call("GET", `/v1/runs/${id}`)).json;
  return [status, ...waitsFor.map(({ kind, name }: OpenWait) => `${kind} ${name}`)];
};
const history = async ({ call }: Started, id: string) =>
  (await call("GET", `/v1/runs/${id}/history`)).json.records.map(({ key, value }) => `${key} ${value.state}`);

describe.each(databases)("a race through a real endpoint, %s", (_where, database) => {
  it("closes what lost: neither its timer nor its place in a queue is left", async () => {
    const { aiki } = await stage(await database());
    const id = await startRun(aiki, "approval");
    const open = ["suspended", "event yes", "event no", "sleep patience"];
    await expect.poll(() => waits(aiki, id), SOON).toEqual(open);
    await send(aiki, id, "no", "later");
    await expect
      .poll(async () => (await history(aiki, id)).filter((one) => one.endsWith("closed")), SOON)
      .toEqual(["event:yes#0 closed", "sleep:patience#0 closed"]);
    await expect.poll(() => waits(aiki, id), SOON).toEqual(open);
    await send(aiki, id, "yes", "now");
    expect(await ended(aiki, id)).toMatchObject({ run: { status: "completed", output: ["no later", "yes now"] } });
  });

  it("gives the next wait the event that filled a wait which had lost", async () => {
    const { aiki, app } = await stage(await database());
    const id = await startRun(aiki, "approval");
    await expect.poll(async () => (await waits(aiki, id)).length, SOON).toBe(4);
    // The app does not take pushes until both events have been received: it sees both at once.
    app.intercept(() => new Response("busy", { status: 503, headers: { "retry-after": "0" } }));
    await send(aiki, id, "yes", "first");
    await send(aiki, id, "no", "second");
    await expect
      .poll(() => history(aiki, id), SOON)
      .toEqual(expect.arrayContaining(["event:yes#0 received", "event:no#0 received"]));
    app.intercept();
    expect(await ended(aiki, id)).toMatchObject({ run: { status: "completed", output: ["yes first", "no second"] } });
    const told = await history(aiki, id);
    expect(told.filter((one) => one.startsWith("event:no"))).toEqual([
      "event:no#0 waiting",
      "event:no#0 received",
      "event:no#0 closed",
      "event:no#1 waiting",
      "event:no#1 received",
    ]);
  });

  it("lets a child go on whose wait was given up, and rejects a wait whose signal aborts", async () => {
    const { aiki } = await stage(await database());
    const id = await startRun(aiki, "impatient");
    await expect.poll(() => waits(aiki, id), SOON).toEqual(["suspended", expect.stringMatching(/^child survey/)]);
    await send(aiki, id, "word", "for the next wait");
    const child = (await aiki.call("GET", `/v1/runs?parent=${id}`)).json.runs[0]?.id ?? "";
    await send(aiki, child, "done", "went on");
    expect(await ended(aiki, id)).toMatchObject({
      run: { status: "completed", output: [{ cancelled: false }, "too late", "for the next wait", "went on"] },
    });
  });
});
