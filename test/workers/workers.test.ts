import { setTimeout as delay } from "node:timers/promises";
import { client } from "@aikirun/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LEASE_MS, SOON, type Stage, stage } from "./stage.js";
import { chainV1, longV1 } from "./workflows.js";

const TIMEOUT_MS = 180_000;
/** Two orchestrators for all tests; each test has its own workers in a namespace of its own. */
let on: Stage;
beforeAll(async () => {
  on = await stage(2);
});
afterAll(() => on?.close());

const sum = (tasks: number) => (tasks * (tasks + 1)) / 2;

it("a worker that is killed in the middle loses nothing but the task it was at", { timeout: TIMEOUT_MS }, async () => {
  const { aiki, startWorker, told, completed } = await on.crew();
  const first = await startWorker();
  const { id } = await chainV1.start(aiki, { tasks: 12, workMs: 150 });
  await expect.poll(() => told(id).length, SOON).toBeGreaterThan(3);
  await first.kill();
  const before = told(id).length;
  await startWorker();
  await completed(id, sum(12), 12);
  expect(told(id)).toHaveLength(13);
  expect(told(id)[before]).toMatchObject({ at: told(id)[before - 1]?.at });
});

it("a worker that is stopped gives its runs back: nothing runs twice", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { aiki, startWorker, told, completed } = await on.crew();
  const first = await startWorker();
  // Long enough that the second one, however slow it begins, finds work left.
  const runs = await Promise.all(Array.from({ length: 5 }, () => chainV1.start(aiki, { tasks: 80, workMs: 150 })));
  await expect.poll(() => runs.every(({ id }) => told(id).length > 1), SOON).toBe(true);
  const second = await startWorker();
  first.killGroup("SIGTERM");
  expect(await first.ended).toBe(0);
  for (const { id } of runs) await completed(id, sum(80), 80);
  for (const { id } of runs) {
    expect(told(id).map(({ at }) => at)).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
    expect(told(id).at(-1)?.pid).toBe(second.pid);
  }
});

it("a run that is started just before its worker stops completes once one is there again", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { aiki, startWorker, completed } = await on.crew();
  const first = await startWorker();
  const { id } = await chainV1.start(aiki, { tasks: 3, workMs: 200 });
  first.killGroup("SIGTERM");
  expect(await first.ended).toBe(0);
  await expect.poll(async () => (await aiki.getRun(id)).status, SOON).toBe("queued");
  // An orchestrator that did not hear the worker's farewell takes it for busy.
  const trouble = /^(Nobody serves worker-chain@1\.0\.0\.|Every worker that serves worker-chain@1\.0\.0 is busy\.)/;
  expect((await aiki.getRun(id)).trouble?.message).toMatch(trouble);
  await startWorker();
  await completed(id, sum(3), 3);
});

it("a run with a pool goes only to a worker of that pool, and says so while there is none", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { aiki, startWorker, told, completed } = await on.crew();
  const plain = await startWorker();
  const { id } = await chainV1.with("pool", "gpu").start(aiki, { tasks: 2, workMs: 0 });
  const other = await chainV1.start(aiki, { tasks: 2, workMs: 0 });
  await completed(other.id, sum(2), 2);
  expect(told(other.id).every(({ pid }) => pid === plain.pid)).toBe(true);
  const trouble = async () => (await aiki.getRun(id)).trouble?.message;
  await expect.poll(trouble, SOON).toMatch(/^No worker of pool gpu serves worker-chain@1\.0\.0/);
  expect(told(id)).toEqual([]);
  const gpu = await startWorker({ pools: "gpu,tpu" });
  await completed(id, sum(2), 2);
  expect(told(id).every(({ pid }) => pid === gpu.pid)).toBe(true);
});

it("a cancel ends the run at once, and aborts its long task in the worker", { timeout: TIMEOUT_MS }, async () => {
  const { aiki, startWorker, told } = await on.crew();
  await startWorker();
  const handle = await longV1.start(aiki, 120_000);
  await expect.poll(() => told(handle.id).length, SOON).toBe(1);
  // Longer than a lease: the worker has kept it.
  await delay(LEASE_MS * 1.5);
  expect(await aiki.getRun(handle.id)).toMatchObject({ status: "running" });
  await handle.cancel("enough");
  const cancelledAt = performance.now();
  await expect.poll(async () => (await aiki.getRun(handle.id)).status, SOON).toBe("cancelled");
  await expect.poll(() => told(handle.id).map(({ what }) => what), SOON).toEqual(["long", "aborted"]);
  expect(performance.now() - cancelledAt).toBeLessThan(LEASE_MS);
});

it("a run that another orchestrator started is found within moments", { timeout: TIMEOUT_MS }, async () => {
  const { startWorker, completed, aiki, apiKey } = await on.crew();
  await startWorker({ url: on.urls[1] as string });
  const here = client({ url: on.urls[0] as string, apiKey });
  await delay(1_000);
  const startedAt = performance.now();
  const handle = await chainV1.start(here, { tasks: 1, workMs: 0 });
  await completed(handle.id, 1, 1);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  expect((await aiki.getRun(handle.id)).status).toBe("completed");
});

it("a killed orchestrator costs nothing: the other one takes checkpoints, extensions and answers", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { aiki, startWorker, told, completed } = await on.crew();
  await startWorker();
  const runs = await Promise.all(Array.from({ length: 6 }, () => chainV1.start(aiki, { tasks: 10, workMs: 200 })));
  await expect.poll(() => runs.every(({ id }) => told(id).length > 2), SOON).toBe(true);
  await on.orchestrators[0]?.kill();
  for (const { id } of runs) await completed(id, sum(10), 10);
  await on.startOrchestrator(0);
});

it("survives an outage of the database", { timeout: TIMEOUT_MS }, async () => {
  const { aiki, startWorker, told, completed } = await on.crew();
  await startWorker();
  const runs = await Promise.all(Array.from({ length: 6 }, () => chainV1.start(aiki, { tasks: 10, workMs: 150 })));
  await expect.poll(() => runs.every(({ id }) => told(id).length > 2), SOON).toBe(true);
  await on.database.down();
  await delay(LEASE_MS * 1.5);
  await on.database.up();
  for (const { id } of runs) await completed(id, sum(10), 10);
});
