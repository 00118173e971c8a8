/** The sample on a database that is larger than one of the conformance suite. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Store } from "../../../src/store/port.js";
import { openPostgresStore } from "../../../src/store/postgres/store.js";
import { type TestDatabase, testDatabase } from "../database.js";

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await testDatabase();
  ({ store } = await openPostgresStore({ url: database.url }));
  await insertRuns("checkout", 1, 5_000);
  await insertRuns("rare", 5_001, 5_003);
});
afterAll(async () => {
  await store?.close();
  await database?.close();
});

const id = (n: string | number) => `'run_' || lpad((${n})::text, 26, '0')`;
const place = (runId: string) => Number(runId.slice("run_".length));

async function insertRuns(workflow: string, first: number, last: number): Promise<void> {
  await database.pool.query(
    `INSERT INTO aiki.run (ns, id, workflow, version, created_at, run_attempt, request_hash)
     SELECT 'default', ${id("n")}, $1, '1.0.0', n, 1, 'hash' FROM generate_series($2::int, $3::int) n`,
    [workflow, first, last],
  );
  await database.pool.query(
    `INSERT INTO aiki.actor (ns, run_id, epoch, gen, seq, tries, status)
     SELECT 'default', ${id("n")}, 1, 1, 1, 0, 'suspended' FROM generate_series($1::int, $2::int) n`,
    [first, last],
  );
}

const versions = ["checkout", "rare"].map((workflow) => ({ workflow, version: "1.0.0" }));

it("spreads over thousands of runs, and does not forget the few", async () => {
  const chosen = await store.sampleLive("default", versions, 67);
  expect(chosen.filter(({ workflow }) => workflow === "rare")).toHaveLength(3);
  const places = chosen.filter(({ workflow }) => workflow === "checkout").map(({ id: runId }) => place(runId));
  expect(new Set(places).size).toBe(64);
  const sorted = places.toSorted((a, b) => a - b);
  expect(sorted[0]).toBe(1);
  expect(sorted.at(-1)).toBeGreaterThan(4_900);
  const gaps = sorted.slice(1).map((one, i) => one - (sorted[i] as number));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(80);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(76);
  expect(await store.sampleLive("default", versions, 1_000)).toHaveLength(1_000);
});

it("does not add up the sizes of a history that no push could carry", async () => {
  await database.pool.query(
    `INSERT INTO aiki.record (ns, run_id, n, gen, at, kind, key, value)
     SELECT 'default', ${id(5_001)}, n, 1, 1, 'sleep', 'sleep:x#' || n, '{"state":"completed"}'
     FROM generate_series(1, 50001) n`,
  );
  const rare = await store.sampleLive("default", [{ workflow: "rare", version: "1.0.0" }], 3);
  expect(rare.map(({ records, bytes }) => [records, bytes])).toEqual([
    [50_001, undefined],
    [0, 0],
    [0, 0],
  ]);
});
