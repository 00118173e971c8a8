import { createServer, request as forward, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { endpoint } from "@aikirun/endpoint";
import { type RunningServer, startServer } from "@aikirun/server";
import { memoryStore } from "@aikirun/server/store/memory";
import { event, schedule, workflow } from "@aikirun/workflow";
import { serve } from "@hono/node-server";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { client } from "../src/index.js";

const gate = workflow({ name: "gate" }).v("1.0.0", {
  async handler(run, input: { name: string }) {
    const { data } = await run.events.opened.wait();
    return { greeting: `${input.name} was let in by ${data.by}` };
  },
  events: { opened: event<{ by: string }>() },
});

let server: RunningServer;
let app: Server;
let lossy: Server;
/** How many answers the lossy proxy still swallows, after the orchestrator has done what was asked. */
let toLose = 0;

beforeAll(async () => {
  const settings = { AIKI_SECRET: crypto.getRandomValues(new Uint8Array(32)), PORT: 0 };
  const log = { info() {}, warn() {}, error() {} };
  server = await startServer({ settings, mode: "dev", store: memoryStore(), log });
  vi.stubEnv("AIKI_URL", server.url);
  app = serve({ fetch: endpoint({ workflows: [gate] }), port: 0 }) as Server;
  if (!app.listening) await new Promise((resolve) => app.once("listening", resolve));
  await client().registerEndpoint({ url: `http://localhost:${portOf(app)}/api/aiki` });
  lossy = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const onward = forward({ port: server.port, host: "127.0.0.1", method, path, headers }, (answer) => {
      if (toLose > 0 && method === "POST") {
        toLose--;
        answer.resume().on("end", () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => lossy.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  toLose = 0;
});
afterAll(async () => {
  for (const one of [lossy, app]) {
    one.closeAllConnections();
    one.close();
  }
  await server.close();
  vi.unstubAllEnvs();
});

function portOf(one: Server): number {
  return (one.address() as AddressInfo).port;
}

test("start, event, wait: a typed workflow through a real endpoint", async () => {
  const handle = await gate.start(client(), { name: "Grace" });
  expect(await handle.waitForStatus("completed", { timeout: { milliseconds: 100 } })).toEqual({
    success: false,
    cause: "timeout",
  });
  await handle.events.opened.send({ by: "Ada" });
  const result = await handle.waitForStatus("completed");
  expect(result).toMatchObject({ success: true, state: { output: { greeting: "Grace was let in by Ada" } } });
});

test("answers that are lost after the orchestrator acted start one run and send one event", async () => {
  const aiki = client({ url: `http://127.0.0.1:${portOf(lossy)}` });
  const before = (await aiki.listRuns({ workflow: "gate", limit: 500 })).runs.length;
  toLose = 2;
  const handle = await gate.start(aiki, { name: "Edsger" });
  expect((await aiki.listRuns({ workflow: "gate", limit: 500 })).runs).toHaveLength(before + 1);
  toLose = 1;
  expect(await handle.events.opened.send({ by: "Ada" })).toEqual({ duplicate: true });
  expect(await handle.waitForStatus("completed")).toMatchObject({ success: true });
});

test("answers that are lost after the orchestrator acted make one schedule and trigger one run", async () => {
  const aiki = client({ url: `http://127.0.0.1:${portOf(lossy)}` });
  toLose = 2;
  const handle = await schedule({ type: "interval", every: { days: 1 } }).activate(aiki, gate, { name: "Grace" });
  expect((await aiki.listSchedules({ workflow: "gate" })).schedules.map(({ id }) => id)).toEqual([handle.id]);
  toLose = 2;
  const { runId, started } = await handle.trigger();
  expect(started).toBe(true);
  expect((await aiki.listRuns({ schedule: handle.id })).runs.map(({ id }) => id)).toEqual([runId]);
  expect(await aiki.getSchedule(handle.id)).toMatchObject({ started: 1, lastRun: runId });
  toLose = 1;
  await handle.pause();
  await handle.deactivate();
});

test("a reference finds its run again, and refuses other input", async () => {
  const aiki = client();
  const once = gate.with("reference.id", "order-7");
  const [first, second] = [await once.start(aiki, { name: "a" }), await once.start(aiki, { name: "a" })];
  expect(second.id).toBe(first.id);
  await expect(once.start(aiki, { name: "b" })).rejects.toMatchObject({
    code: "REFERENCE_CONFLICT",
    details: { runId: first.id },
  });
  const found = await gate.getHandleByReferenceId(aiki, "order-7");
  expect(found.id).toBe(first.id);
  await expect(gate.getHandleByReferenceId(aiki, "order-8")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a cancelled run ends a wait for its completion; cancelling it again changes nothing", async () => {
  const handle = await gate.start(client(), { name: "Barbara" });
  await handle.cancel("changed her mind");
  expect(await handle.waitForStatus("completed")).toEqual({ success: false, cause: "run_terminated" });
  expect(await handle.waitForStatus("cancelled")).toMatchObject({
    success: true,
    state: { reason: "changed her mind" },
  });
  await handle.cancel();
  expect((await handle.refresh()).status).toBe("cancelled");
});

test("one event to many runs has an outcome for each", async () => {
  const aiki = client();
  const runs = await Promise.all(["a", "b"].map((name) => gate.start(aiki, { name })));
  const unknown = `run_${"0".repeat(26)}`;
  const outcomes = await gate.events.opened.send(aiki, [...runs.map((run) => run.id), unknown], { by: "Ada" });
  expect(outcomes.map((one) => one.outcome)).toEqual(["sent", "sent", "not_found"]);
  for (const run of runs) expect(await run.waitForStatus("completed")).toMatchObject({ success: true });
});

test("a signal gives a wait up and leaves the run alone", async () => {
  const handle = await gate.start(client(), { name: "Alan" });
  const controller = new AbortController();
  const wait = handle.waitForStatus("completed", { signal: controller.signal });
  controller.abort();
  expect(await wait).toEqual({ success: false, cause: "aborted" });
  expect((await handle.refresh()).endedAt).toBeUndefined();
});
