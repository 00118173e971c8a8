import { afterAll, beforeAll, expect, it } from "vitest";
import { raiseEpoch } from "../../../src/store/postgres/restored.js";
import { openPostgresStore, type PostgresStore } from "../../../src/store/postgres/store.js";
import { claimAll, hold, LEASE_MS, NS, newRun, taskDone, transition } from "../conformance/arena.js";
import { type TestDatabase, testDatabase } from "../database.js";

let db: TestDatabase;
let opened: PostgresStore;
beforeAll(async () => {
  db = await testDatabase();
  opened = await openPostgresStore({ url: db.url });
});
afterAll(async () => {
  await opened.store.close();
  await db.close();
});

it("a raised epoch fences off who held a run before, and whoever claims it after goes on", async () => {
  const { store } = opened;
  const before = await store.epoch();
  const run = await hold(store);
  expect(await raiseEpoch(db.url)).toBe(before + 1);
  expect(await store.epoch()).toBe(before + 1);

  const late = await store.commit(transition(run, { records: [taskDone(1)] }), LEASE_MS);
  expect(late.type).toBe("fenced");
  expect((await store.load(NS, run.facts.id))?.records).toEqual([]);

  await db.pool.query("UPDATE aiki.actor SET lease_until = 1");
  const [claimed] = await claimAll(store);
  expect(claimed?.fence.epoch).toBe(before + 1);
  if (!claimed) throw new Error("not claimed");
  expect(await store.commit(transition(claimed, { records: [taskDone(1)] }), LEASE_MS)).toMatchObject({
    type: "committed",
  });
});

it("new runs begin in it", async () => {
  const epoch = await raiseEpoch(db.url);
  const outcome = await opened.store.start(newRun(), LEASE_MS);
  expect(outcome.type === "created" && outcome.held?.fence.epoch).toBe(epoch);
});
