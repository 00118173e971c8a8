import { setTimeout as delay } from "node:timers/promises";
import { client } from "@aikirun/client";
import type { WorkerClient } from "@aikirun/protocol";
import { type WorkerOptions, worker } from "@aikirun/worker";
import { type ContextRun, task, workflow } from "@aikirun/workflow";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startApp } from "../../../server/test/api/app.js";
import { type Started, start } from "../../../server/test/api/server.js";

const SOON = { timeout: 20_000, interval: 20 };
const QUIET = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

const ranIn: string[] = [];
const where = (place: string) =>
  task({
    name: "where",
    async handler(ms: number) {
      ranIn.push(place);
      await delay(ms);
      return place;
    },
  });
const placeV1 = (place: string, version = "1.0.0") =>
  workflow({ name: "place" }).v(version, { handler: async (run, ms: number) => where(place).start(run, ms) });

async function spawn(aiki: Started, options: WorkerOptions) {
  const running = await worker({ logger: QUIET, ...options }).spawn(client({ url: aiki.server.url }));
  onTestFinished(() => running.stop());
  return running;
}

describe("worker()", () => {
  const workflows = [placeV1("here")];
  it.each([
    ["an unknown option", { workflows, pool: "gpu" }, /no option "pool"/],
    ["no workflows", { workflows: [] }, /at least one version/],
    ["no concurrency", { workflows, concurrency: 0 }, /1 to 1000/],
    ["too much concurrency", { workflows, concurrency: 1_001 }, /1 to 1000/],
    ["half a run", { workflows, concurrency: 1.5 }, /whole number/],
    ["a pool without a name", { workflows, pools: [""] }, /1 to 255 characters/],
    ["too many pools", { workflows, pools: Array.from({ length: 21 }, (_, i) => `p${i}`) }, /at most 20/],
    ["a version twice", { workflows: [...workflows, placeV1("there")] }, /place@1\.0\.0 is served twice/],
    ["what is no version", { workflows: ["place"] }, /workflow\(\{ name \}\)\.v/],
  ])("refuses %s", (_what, options, message) => {
    expect(() => worker(options as unknown as Parameters<typeof worker>[0])).toThrow(message);
  });

  it("does nothing until it is spawned, and begins with one poll", async () => {
    const pollWork = vi.fn<WorkerClient["pollWork"]>(() => new Promise(() => {}));
    const aiki = { ...client(), pollWork, orchestratorUrl: () => "http://localhost:9850" };
    const pulling = worker({ workflows, pools: ["gpu"], concurrency: 3 });
    expect(pollWork).not.toHaveBeenCalled();
    const running = await pulling.start(aiki);
    expect(pollWork.mock.calls.map(([body]) => body)).toEqual([
      { worker: running.id, versions: [{ workflow: "place", version: "1.0.0" }], pools: ["gpu"], room: 3 },
    ]);
  });

  it("keeps trying while there is no orchestrator, and tells it once", async () => {
    const logger = { ...QUIET, warn: vi.fn() };
    const pollWork = vi.fn<WorkerClient["pollWork"]>(() => Promise.reject(new Error("away")));
    const aiki = { ...client(), pollWork, orchestratorUrl: () => "http://localhost:9850" };
    const running = await worker({ workflows, logger }).start(aiki);
    await expect.poll(() => pollWork.mock.calls.length, SOON).toBeGreaterThan(2);
    expect(logger.warn).toHaveBeenCalledTimes(1);
    await running.stop();
    const polls = pollWork.mock.calls.length;
    await delay(600);
    expect(pollWork.mock.calls.length).toBe(polls);
  });
});

describe("a worker", () => {
  it("asks for no more than it has room for", async () => {
    const aiki = await start("dev");
    const underWay = { now: 0, most: 0 };
    const busy = task({
      name: "busy",
      async handler() {
        underWay.most = Math.max(underWay.most, ++underWay.now);
        await delay(30);
        underWay.now -= 1;
      },
    });
    const busyV1 = workflow({ name: "busy" }).v("1.0.0", { handler: async (run) => busy.start(run) });
    await spawn(aiki, { workflows: [busyV1], concurrency: 3 });
    const api = client({ url: aiki.server.url });
    const handles = await Promise.all(Array.from({ length: 30 }, () => busyV1.start(api)));
    for (const handle of handles) expect((await handle.waitForStatus("completed")).success).toBe(true);
    expect(underWay.most).toBe(3);
  });

  it("and an endpoint share a version: the worker first, the endpoint when it is busy", async () => {
    const aiki = await start("dev");
    const app = await startApp(aiki.server.url, [placeV1("endpoint")]);
    expect((await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } })).status).toBe(201);
    await spawn(aiki, { workflows: [placeV1("worker")], concurrency: 1 });
    const api = client({ url: aiki.server.url });
    await delay(200);
    const first = await placeV1("client").start(api, 500);
    await expect.poll(() => ranIn, SOON).toEqual(["worker"]);
    const second = await placeV1("client").start(api, 0);
    expect(await second.waitForStatus("completed")).toMatchObject({ state: { output: "endpoint" } });
    expect(await first.waitForStatus("completed")).toMatchObject({ state: { output: "worker" } });
  });

  it("stalls a run that its code no longer fits, as an endpoint does, and goes on once it fits again", async () => {
    const aiki = await start("dev");
    const api = client({ url: aiki.server.url });
    const named = (name: string) => {
      const one = task({ name, handler: async () => name });
      return workflow({ name: "changing" }).v("1.0.0", {
        async handler(run) {
          const value = await one.start(run);
          await run.sleep("a-while", 300);
          return value;
        },
      });
    };
    const before = await spawn(aiki, { workflows: [named("old")] });
    const handle = await named("old").start(api);
    await expect.poll(async () => (await api.getRun(handle.id)).status, SOON).toBe("suspended");
    await before.stop();
    const changed = await spawn(aiki, { workflows: [named("new")] });
    await expect.poll(async () => (await api.getRun(handle.id)).trouble?.code, SOON).toBe("NON_DETERMINISM");
    await changed.stop();
    await spawn(aiki, { workflows: [named("old")] });
    await api.requeueRun(handle.id);
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: "old" } });
  });

  it.each([
    ["its own", { timeout: undefined }, 700],
    ["its version's", { timeout: 700 }, undefined],
  ])("ends a run whose time is over, by %s limit, while a task of it goes on", async (_whose, version, own) => {
    const aiki = await start("dev");
    const api = client({ url: aiki.server.url });
    const long = task({ name: "long", handler: async (_input: string, { signal }) => delay(60_000, 0, { signal }) });
    const { timeout } = version;
    const longV1 = workflow({ name: "long" }).v("1.0.0", {
      ...(timeout !== undefined && { timeout }),
      handler: async (run) => long.start(run, "x"),
    });
    const running = await spawn(aiki, { workflows: [longV1] });
    const handle = await (own === undefined ? longV1 : longV1.with("timeout", own)).start(api);
    expect(await handle.waitForStatus("completed")).toMatchObject({ success: false });
    await running.stop({ grace: 1 });
    expect(await api.getRun(handle.id)).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
  });

  it("gives its handlers the context, and none of a run whose context cannot be made", async () => {
    const aiki = await start("dev");
    const api = client({ url: aiki.server.url });
    const regionV1 = workflow<{ region: string }>({ name: "region" }).v("1.0.0", {
      handler: async (run) => run.context.region,
    });
    // @ts-expect-error a version declares a context
    worker({ workflows: [regionV1] });
    let made = 0;
    const context = ({ name }: ContextRun) => {
      made += 1;
      if (made === 1) throw new Error("not yet");
      return { region: `eu of ${name}` };
    };
    const options = { workflows: [regionV1], context, logger: QUIET };
    const running = await worker(options).spawn(api);
    onTestFinished(() => running.stop());
    const handle = await regionV1.start(api);
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: "eu of region" } });
    expect(made).toBeGreaterThan(1);
  });

  it("gives back what is not done within the grace, and aborts its tasks", async () => {
    const aiki = await start("dev");
    const api = client({ url: aiki.server.url });
    const aborted: unknown[] = [];
    const never = task({
      name: "never",
      async handler(_input: string, { signal }) {
        signal.addEventListener("abort", () => aborted.push(signal.reason));
        await delay(60_000, undefined, { signal });
      },
    });
    const neverV1 = workflow({ name: "never" }).v("1.0.0", { handler: async (run) => never.start(run, "x") });
    const running = await spawn(aiki, { workflows: [neverV1] });
    const handle = await neverV1.start(api);
    await expect.poll(async () => (await api.getRun(handle.id)).status, SOON).toBe("running");
    await delay(100);
    const stoppedAt = performance.now();
    await running.stop({ grace: 200 });
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    expect(aborted).toHaveLength(1);
    await expect.poll(async () => (await api.getRun(handle.id)).status, SOON).toBe("queued");
  });
});

it("a worker does not queue behind what else its process waits for", async () => {
  const aiki = await start("dev");
  const api = client({ url: aiki.server.url });
  const idleV1 = workflow({ name: "idle" }).v("1.0.0", { handler: async (run) => run.sleep("long", { days: 1 }) });
  const running = await worker({ workflows: [idleV1, placeV1("here")], logger: QUIET }).spawn(api);
  onTestFinished(() => running.stop());
  // More long polls than the client has connections.
  const leave = new AbortController();
  onTestFinished(() => leave.abort());
  const handle = await idleV1.start(api);
  for (let i = 0; i < 300; i++) api.waitForEnd(handle.id, { signal: leave.signal }).catch(() => {});
  const other = client({ url: aiki.server.url, fetch });
  const { run } = await other.startRun({ workflow: "place", version: "1.0.0", input: 0 });
  await expect.poll(async () => (await other.getRun(run.id)).status, SOON).toBe("completed");
});
