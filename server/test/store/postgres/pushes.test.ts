/** What a list cannot show: that pushes which nobody sees any more are gone, whoever writes the next one. */
import { newId } from "@aikirun/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NotedPush, PushMark } from "../../../src/core/run.js";
import type { Store } from "../../../src/store/port.js";
import { openPostgresStore } from "../../../src/store/postgres/store.js";
import { commit, end, hold, NS, taskDone } from "../conformance/arena.js";
import { type TestDatabase, testDatabase } from "../database.js";

const ENDPOINT = newId("ep");
let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await testDatabase();
  ({ store } = await openPostgresStore({ url: database.url }));
});
afterAll(async () => {
  await store?.close();
  await database?.close();
});

let serial = 0;
function mark(): PushMark {
  const id = newId("push", Date.now() + serial++);
  return { id, endpointId: ENDPOINT, seq: 0, durationMs: 1, delivery: 1, checkpoints: 0 };
}
async function rows(runId: string): Promise<number> {
  const { rows: found } = await database.pool.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM aiki.push WHERE run_id = $1",
    [runId],
  );
  return found[0]?.n ?? 0;
}

it("keeps 100 of a run, however they come", async () => {
  let [alone, merged] = [await hold(store), await hold(store)];
  const [a, b] = [alone.facts.id, merged.facts.id];
  const noted = (runId: string): NotedPush => ({ ns: NS, runId, gen: 1, at: 1, push: mark(), code: "BUSY" });
  for (let i = 0; i < 5; i++) await store.notePushes(Array.from({ length: 60 }, (_, j) => noted(j % 2 === 0 ? a : b)));
  expect([await rows(a), await rows(b)]).toEqual([100, 100]);
  for (let i = 0; i < 3; i++) alone = await commit(store, alone, { push: mark() });
  expect(await rows(a)).toBe(100);
  for (let i = 0; i < 3; i++) {
    [alone, merged] = await Promise.all([
      commit(store, alone, { push: mark(), records: [taskDone(i + 1)] }),
      commit(store, merged, { push: mark() }),
    ]);
  }
  expect([await rows(a), await rows(b)]).toEqual([100, 100]);
  await end(store, merged, { push: mark() });
  expect(await rows(b)).toBe(100);
});
