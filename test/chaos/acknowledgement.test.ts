import { afterAll, beforeAll, expect, test } from "vitest";
import { concurrently } from "../../bench/figures.js";
import { Random } from "../../server/simulation/random.js";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { type Fleet, startFleet } from "./fleet.js";
import { type Cut, type PostgresProxy, startPostgresProxy } from "./postgres-proxy.js";
import { startRun, untilAllEnded } from "./runs.js";
import { readLog, startsIn } from "./side-effects.js";
import { type Started, violations } from "./verify.js";

const SEED = 1;
const RUNS = 60;
const TASKS = 5;
/** Few at a time, so that there are many commits rather than a few large ones. */
const AT_A_TIME = 4;
/** The default of the orchestrator. */
const LEASE_MS = 30_000;
const TIMEOUT_MS = 180_000;
const COMMITS = /^aiki_(commit_one|commit_many|end_one)$/;

let database: TestDatabase;
let proxy: PostgresProxy;
let fleet: Fleet;
beforeAll(async () => {
  database = await testDatabase();
  proxy = await startPostgresProxy(database.url);
  fleet = await startFleet({ databaseUrl: proxy.url, replicas: 1 });
}, TIMEOUT_MS);
afterAll(async () => {
  await fleet?.stop();
  await proxy?.close();
  await database?.close();
});

test(`${RUNS * TASKS} tasks while of every ten commits one loses its acknowledgement and one never arrives, seed ${SEED}: nothing is recorded or executed twice`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const random = new Random(SEED);
  const cuts: Record<"request" | "answer", number> = { request: 0, answer: 0 };
  proxy.cut = (statement): Cut => {
    if (!COMMITS.test(statement)) return undefined;
    const draw = random.next();
    const cut = draw < 0.1 ? "answer" : draw < 0.2 ? "request" : undefined;
    if (cut) cuts[cut] += 1;
    return cut;
  };
  const started: Started[] = [];
  await concurrently(RUNS, AT_A_TIME, async (start) => {
    const run = await startRun(fleet.replicas, { tasks: TASKS, start, workMs: 10 });
    started.push(run);
    await fleet.aiki.waitForEnd(run.id, { timeoutMs: TIMEOUT_MS });
  });
  await untilAllEnded(database.pool, TIMEOUT_MS);
  proxy.cut = () => undefined;
  const log = readLog(fleet.log);
  console.log(`commits cut: ${JSON.stringify(cuts)}; executions: ${startsIn(log).length}`);
  expect(await violations(database.pool, started, log)).toEqual([]);
  // What became of a commit is found out, not guessed: no task runs again for it.
  expect(startsIn(log)).toHaveLength(RUNS * TASKS);
  expect(cuts.answer).toBeGreaterThan(5);
  expect(cuts.request).toBeGreaterThan(5);
});

test("a start whose acknowledgement is lost is the same start when it is sent again, and does not wait for its lease", {
  timeout: TIMEOUT_MS,
}, async () => {
  let cuts = 0;
  proxy.cut = (statement) => (statement === "aiki_start_runs" && ++cuts === 1 ? "answer" : undefined);
  const { id } = await startRun(fleet.replicas, { tasks: 2, start: 1, workMs: 10 });
  expect(cuts).toBe(2);
  const { run } = await fleet.aiki.waitForEnd(id, { timeoutMs: TIMEOUT_MS });
  expect(run).toMatchObject({ status: "completed", endedAt: expect.any(Number) });
  expect((run.endedAt ?? 0) - run.createdAt).toBeLessThan(LEASE_MS);
});
