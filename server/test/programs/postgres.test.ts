import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cases } from "../../simulation/programs/plans.js";
import { openPostgresStore, type PostgresStore } from "../../src/store/postgres/store.js";
import { type TestDatabase, testDatabase } from "../store/database.js";
import { type Figures, runOnPostgres } from "./postgres-world.js";

/** `AIKI_TEST_SEED=7` runs other programs. */
const SEED = Number(process.env["AIKI_TEST_SEED"] ?? 1);
const PROGRAMS = 300;
const AT_ONCE = 50;
const EMPTY = "TRUNCATE aiki.run, aiki.actor, aiki.mailbox, aiki.record, aiki.child";

let db: TestDatabase;
let opened: PostgresStore[];
beforeAll(async () => {
  db = await testDatabase();
  opened = await Promise.all([1, 2, 3].map(() => openPostgresStore({ url: db.url, maxConnections: 3 })));
});
afterAll(async () => {
  await Promise.all(opened.map(({ store }) => store.close()));
  await db.close();
});

test(`${PROGRAMS} random programs end as plain execution does, on Postgres, while dispatchers die, seed ${SEED}`, {
  timeout: 240_000,
}, async () => {
  const stores = opened.map(({ store }) => store);
  const sums: Record<string, number> = { programs: 0 };
  const property = fc.asyncProperty(
    fc.array(cases, { minLength: 1, maxLength: AT_ONCE, size: "max" }),
    async (some) => {
      await db.pool.query(EMPTY);
      const figures: Figures = await runOnPostgres(some, stores);
      sums["programs"] = (sums["programs"] ?? 0) + some.length;
      for (const [name, count] of Object.entries(figures)) sums[name] = (sums[name] ?? 0) + count;
    },
  );
  const shrinkMs = 40_000;
  for (let seed = SEED; (sums["programs"] ?? 0) < PROGRAMS; seed += 1_000)
    await fc.assert(property, { seed, numRuns: 1, interruptAfterTimeLimit: shrinkMs, markInterruptAsFailure: true });
  // All of it has happened.
  for (const count of Object.values(sums)) expect(count).toBeGreaterThan(0);
});
