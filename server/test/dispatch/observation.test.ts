import { newId } from "@aikirun/protocol";
import { expect, it } from "vitest";
import type { NotedPush } from "../../src/core/run.js";
import { Observation } from "../../src/dispatch/observation.js";
import { memoryStore } from "../../src/store/memory.js";
import { type Store, StoreUnavailable } from "../../src/store/port.js";

const MINUTE = 60_000;
const push = (runId: string): NotedPush => ({
  ns: "default",
  runId,
  gen: 1,
  at: 5,
  push: { id: newId("push"), endpointId: newId("ep"), seq: 0, durationMs: 1, delivery: 1, checkpoints: 0 },
  code: "BUSY",
  message: "m".repeat(5_000),
});

/** A store that is away as long as a test says so. */
function failing() {
  let now = 10 * MINUTE;
  const store = memoryStore({ now: () => now });
  const state = { away: false };
  const answers = <T>(verb: () => Promise<T>): Promise<T> =>
    state.away ? Promise.reject(new StoreUnavailable("away")) : verb();
  const flaky: Store = {
    ...store,
    addMinutes: (...added) => answers(() => store.addMinutes(...added)),
    notePushes: (...noted) => answers(() => store.notePushes(...noted)),
  };
  const passes = (ms: number) => {
    now += ms;
  };
  return { store, flaky, state, passes, observation: new Observation(() => now) };
}

it("keeps what it counted while the store is away, each minute as it was, and counts nothing twice", async () => {
  const { store, flaky, state, passes, observation } = failing();
  state.away = true;
  observation.started("default", 2);
  observation.ended("default", "failed");
  observation.pushed("default", "ep", true, 30);
  await expect(observation.flushCounts(flaky)).rejects.toThrow(StoreUnavailable);
  observation.started("default", 1);
  passes(MINUTE);
  observation.ended("default", "completed");
  observation.firstPushed("default", 4);
  await expect(observation.flushCounts(flaky)).rejects.toThrow(StoreUnavailable);
  state.away = false;
  await Promise.all([observation.flushCounts(flaky), observation.flushCounts(flaky)]);
  await observation.flushCounts(flaky);
  const minutes = await store.readMinutes("default", { from: 0, to: 100 * MINUTE }, MINUTE);
  expect(minutes).toMatchObject([
    { at: 10 * MINUTE, started: 3, failed: 1, completed: 0, pushesFailed: 1, pushed: { sumMs: 30 } },
    { at: 11 * MINUTE, started: 0, completed: 1, starts: { sumMs: 4 } },
  ]);
  const span = { from: 0, to: 100 * MINUTE };
  expect(await store.busiestEndpoints("default", span, 9)).toMatchObject([{ endpointId: "ep", pushesFailed: 1 }]);
});

it("keeps pushes while the store is away, the newest when there are too many, with a bounded message", async () => {
  const { store, flaky, state, observation } = failing();
  const run = { ns: "default", id: newId("run"), workflow: "w", version: "1", input: undefined, reference: undefined };
  const facts = { ...run, retry: undefined, timeoutMs: undefined, pool: undefined, parent: undefined };
  await store.start({ facts, requestHash: "h", conflictPolicy: "error", trigger: undefined }, undefined);
  state.away = true;
  const first = push(run.id);
  observation.noted(first);
  await expect(observation.flushPushes(flaky)).rejects.toThrow(StoreUnavailable);
  for (let i = 0; i < 20_000; i++) observation.noted(push(newId("run")));
  const last = push(run.id);
  observation.noted(last);
  state.away = false;
  await observation.flushPushes(flaky);
  const kept = await store.listPushes("default", run.id);
  expect(kept.map(({ push: { id } }) => id)).toEqual([last.push.id]);
  expect(kept[0]?.message).toHaveLength(1_000);
});
