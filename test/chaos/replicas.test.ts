import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { type Fleet, startFleet } from "./fleet.js";
import { startRun, untilAllEnded } from "./runs.js";
import { countBy, pushesIn, readLog, startsIn } from "./side-effects.js";
import { type Started, violations } from "./verify.js";

const RUNS = 200;
const TASKS = 4;
const TIMEOUT_MS = 120_000;

describe("two orchestrators on one database, without faults", () => {
  let database: TestDatabase;
  let fleet: Fleet;
  beforeAll(async () => {
    database = await testDatabase();
    // So few at a time that the one that gets all requests cannot do all the work.
    fleet = await startFleet({ databaseUrl: database.url, replicas: 2, settings: { AIKI_MAX_RUNS: "6" } });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await fleet?.stop();
    await database?.close();
  });

  test(
    "share the work that one of them accepted, and nothing is pushed or executed twice",
    async () => {
      const started: Started[] = await Promise.all(
        Array.from({ length: RUNS }, (_, i) =>
          startRun(fleet.replicas.slice(0, 1), { tasks: TASKS, start: i, workMs: 200, sleepMs: 300 }),
        ),
      );
      await untilAllEnded(database.pool, TIMEOUT_MS);
      const log = readLog(fleet.log);
      expect(await violations(database.pool, started, log)).toEqual([]);

      const pushes = pushesIn(log);
      expect(twice(countBy(pushes, ({ pushId }) => pushId))).toEqual([]);
      expect(twice(countBy(startsIn(log), ({ runId, at }) => `${runId} ${at}`))).toEqual([]);
      // One push up to the sleep, which travels with the result before it, and one after it.
      expect(pushes).toHaveLength(RUNS * 2);

      const shares = fleet.replicas.map(
        ({ url }) => new Set(pushes.filter((one) => one.from === url).map((one) => one.runId)).size,
      );
      console.log(`of ${RUNS} runs, the orchestrators pushed ${shares.join(" and ")}`);
      for (const share of shares) expect(share).toBeGreaterThan(RUNS / 5);
    },
    TIMEOUT_MS,
  );
});

function twice(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].filter(([, count]) => count > 1).map(([key]) => key);
}
