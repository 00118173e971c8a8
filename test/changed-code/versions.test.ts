/** A run stays with the version that it was started with, wherever and whenever that is served. */
import { newId, type Run } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { startApp } from "../../server/test/api/app.js";
import { type Started, start } from "../../server/test/api/server.js";
import { testDatabase } from "../../server/test/store/database.js";

const SOON = { timeout: 20_000, interval: 50 };

/** `RUN by VERSION at PLACE`, as the tasks themselves tell it. */
let executed: string[] = [];
beforeEach(() => {
  executed = [];
});
const note = task({
  name: "note",
  handler: async ({ at, part }: { at: string; part: string }, { run }) =>
    void executed.push(`${part} ${run.versionId} at ${at}`),
});
const order = workflow({ name: "order" });
/** A version as one app serves it. What a task is given says where it ran only before the first record of it. */
const version = (id: string, at: string, first: string = at) =>
  order.v(id, {
    async handler(run) {
      await note.start(run, { at: first, part: "began" });
      await run.events.go.wait();
      await note.start(run, { at, part: "ended" });
      return `${id} at ${at}`;
    },
    events: { go: event() },
  });

async function orchestrator(): Promise<Started> {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  return start("dev", { settings: { DATABASE_URL: database.url } });
}

const get = async ({ call }: Started, id: string) => (await call("GET", `/v1/runs/${id}`)).json as unknown as Run;

async function begin(aiki: Started, versionId: string): Promise<string> {
  const id = newId("run");
  const body = { id, workflow: "order", version: versionId };
  expect((await aiki.call("POST", "/v1/runs", { body })).status).toBe(201);
  await expect.poll(async () => (await get(aiki, id)).status, SOON).toBe("suspended");
  return id;
}

async function go(aiki: Started, id: string): Promise<void> {
  expect((await aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "go" } })).status).toBeLessThan(300);
}

async function ended(aiki: Started, id: string): Promise<unknown> {
  await expect.poll(async () => (await get(aiki, id)).status, SOON).toBe("completed");
  return (await get(aiki, id)).output;
}

test("several versions at one endpoint: each run goes on with the code that it was started with", async () => {
  const aiki = await orchestrator();
  const app = await startApp(aiki.server.url, [version("1.0.0", "a")]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  const first = await begin(aiki, "1.0.0");
  app.serve([version("1.0.0", "a"), version("2.0.0", "a")]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  const second = await begin(aiki, "2.0.0");
  await go(aiki, first);
  await go(aiki, second);
  expect(await ended(aiki, first)).toBe("1.0.0 at a");
  expect(await ended(aiki, second)).toBe("2.0.0 at a");
  expect(executed.toSorted()).toEqual(["began 1.0.0 at a", "began 2.0.0 at a", "ended 1.0.0 at a", "ended 2.0.0 at a"]);
});

test("several versions at several endpoints: each run is pushed to the one that serves its version", async () => {
  const aiki = await orchestrator();
  const [old, young] = [
    await startApp(aiki.server.url, [version("1.0.0", "old")]),
    await startApp(aiki.server.url, [version("2.0.0", "young")]),
  ];
  await aiki.call("POST", "/v1/endpoints", { body: { url: old.url } });
  await aiki.call("POST", "/v1/endpoints", { body: { url: young.url } });
  const runs = await Promise.all(["1.0.0", "2.0.0", "1.0.0", "2.0.0"].map((id) => begin(aiki, id)));
  for (const id of runs) await go(aiki, id);
  expect(await Promise.all(runs.map((id) => ended(aiki, id)))).toEqual([
    "1.0.0 at old",
    "2.0.0 at young",
    "1.0.0 at old",
    "2.0.0 at young",
  ]);
});

test("a version that is no longer served: its runs wait, say for what, and go on when it is served again", async () => {
  const aiki = await orchestrator();
  const app = await startApp(aiki.server.url, [version("1.0.0", "a")]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  const [pushed, started] = [await begin(aiki, "1.0.0"), newId("run")];
  // Deployed without a word to the orchestrator: the next push finds out.
  app.serve([version("2.0.0", "a")]);
  await go(aiki, pushed);
  await aiki.call("POST", "/v1/runs", { body: { id: started, workflow: "order", version: "1.0.0" } });
  for (const id of [pushed, started]) {
    await expect
      .poll(async () => await get(aiki, id), SOON)
      .toMatchObject({
        status: "queued",
        waitsFor: expect.arrayContaining([expect.objectContaining({ kind: "endpoint", name: "order@1.0.0" })]),
        trouble: {
          code: "WORKFLOW_NOT_SERVED",
          deliveries: 0,
          message: expect.stringMatching(
            /^(Nobody serves|This app does not serve) order@1\.0\.0\. Served: order@2\.0\.0/,
          ),
        },
      });
  }
  // A run may say it before the endpoint has been asked what it serves now.
  const served = async (): Promise<unknown[]> => {
    const { workflows } = (await aiki.call("GET", "/v1/workflows")).json;
    return workflows.map(({ name, version, endpoint, live }) => [name, version, endpoint, live]);
  };
  await expect.poll(served, SOON).toEqual([
    ["order", "1.0.0", undefined, 2],
    ["order", "2.0.0", app.url, 0],
  ]);

  const other = await begin(aiki, "2.0.0");
  app.serve([version("1.0.0", "a"), version("2.0.0", "a")]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  expect(await ended(aiki, pushed)).toBe("1.0.0 at a");
  for (const id of [started, other]) await go(aiki, id);
  expect(await Promise.all([ended(aiki, started), ended(aiki, other)])).toEqual(["1.0.0 at a", "2.0.0 at a"]);
  expect(executed.filter((line) => line.startsWith("began 1.0.0"))).toHaveLength(2);
});

test("an endpoint that is removed: its runs wait for whoever serves their version next", async () => {
  const aiki = await orchestrator();
  const first = await startApp(aiki.server.url, [version("1.0.0", "first")]);
  const { id: endpointId } = (await aiki.call("POST", "/v1/endpoints", { body: { url: first.url } })).json;
  const id = await begin(aiki, "1.0.0");
  expect((await aiki.call("DELETE", `/v1/endpoints/${endpointId}`)).status).toBe(204);
  await go(aiki, id);
  await expect
    .poll(async () => (await get(aiki, id)).trouble?.message, SOON)
    .toMatch(/^Nobody serves order@1\.0\.0\. Add it to serveAiki/);
  const requests = first.requests;
  const second = await startApp(aiki.server.url, [version("1.0.0", "second", "first")]);
  expect((await aiki.call("POST", "/v1/endpoints", { body: { url: second.url } })).status).toBe(201);
  expect(await ended(aiki, id)).toBe("1.0.0 at second");
  expect(first.requests).toBe(requests);
});

test("a version that another endpoint owns: refused, and with takeOver its runs in flight move", async () => {
  const aiki = await orchestrator();
  const first = await startApp(aiki.server.url, [version("1.0.0", "first"), version("2.0.0", "first")]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: first.url, name: "first" } });
  const [moved, stays] = [await begin(aiki, "1.0.0"), await begin(aiki, "2.0.0")];
  const second = await startApp(aiki.server.url, [version("1.0.0", "second", "first")]);
  const body = { url: second.url, name: "second" };
  const refused = await aiki.call("POST", "/v1/endpoints", { body });
  expect([refused.status, refused.json.error.code]).toEqual([409, "VERSION_OWNED"]);
  expect(refused.json.error.message).toContain(`order@1.0.0 is served by first (${first.url}).`);
  expect((await aiki.call("POST", "/v1/endpoints", { body: { ...body, takeOver: true } })).status).toBe(201);
  await go(aiki, moved);
  await go(aiki, stays);
  expect(await ended(aiki, moved)).toBe("1.0.0 at second");
  expect(await ended(aiki, stays)).toBe("2.0.0 at first");
});
