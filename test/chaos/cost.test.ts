import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { type Fleet, startFleet } from "./fleet.js";
import { type PostgresProxy, startPostgresProxy } from "./postgres-proxy.js";
import { startRun, untilAllEnded } from "./runs.js";
import { countBy, pushesIn, readLog } from "./side-effects.js";
import type { Started } from "./verify.js";

const TIMEOUT_MS = 120_000;
/**
 * What an orchestrator sends with and without work: looks for due runs and schedules, reads what changes seldom, and now
 * and then writes down what it has counted.
 */
const BACKGROUND =
  /^aiki_(claim_runs|next_due_at|upcoming_schedules|wake_unserved|count_due|add_minutes)$|from "aiki"\."(endpoint|served_version|signing_key)"/;
/** The least time between two rounds of the background, and the most statements of one. */
const ROUND_MS = 750;
const ROUND_STATEMENTS = 4;

let database: TestDatabase;
let proxy: PostgresProxy;
let fleet: Fleet;

/** One orchestrator of its own for the tests of a block. */
function withCheckpoints(checkpoints: "on" | "off"): void {
  beforeAll(async () => {
    database = await testDatabase();
    proxy = await startPostgresProxy(database.url);
    fleet = await startFleet({
      databaseUrl: proxy.url,
      replicas: 1,
      settings: { AIKI_CHECKPOINTS: checkpoints },
    });
    // Everything is prepared, cached and connected; what is counted from now on is the rule.
    await complete(3);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await fleet?.stop();
    await proxy?.close();
    await database?.close();
  });
}

async function complete(tasks: number): Promise<Started> {
  const run = await startRun(fleet.replicas, { tasks, start: 1, workMs: 0 });
  await untilAllEnded(database.pool, TIMEOUT_MS);
  return run;
}

async function manyAtOnce(): Promise<Started[]> {
  const input = { tasks: 5, start: 1, workMs: 0 };
  const runs = await Promise.all(Array.from({ length: 64 }, () => startRun(fleet.replicas, input)));
  await untilAllEnded(database.pool, TIMEOUT_MS);
  return runs;
}

/** What the work cost: statements by name, those of the background apart, and pushes that arrived. */
async function costOf(work: () => Promise<Started[]>) {
  const startedAt = performance.now();
  const before = proxy.executed.length;
  const runs = new Set((await work()).map(({ id }) => id));
  const executed = proxy.executed.slice(before);
  const rounds = 1 + Math.ceil((performance.now() - startedAt) / ROUND_MS);
  const own = executed.filter((statement) => !BACKGROUND.test(statement));
  // Nothing that belongs to the work hides in the background.
  expect(executed.length - own.length).toBeLessThanOrEqual(rounds * ROUND_STATEMENTS);
  return {
    statements: Object.fromEntries(countBy(own, (statement) => statement)),
    pushes: pushesIn(readLog(fleet.log)).filter(({ runId }) => runs.has(runId)).length,
  };
}

describe("pushed step by step", () => {
  withCheckpoints("off");

  test("60 sequential tasks cost the statement of the start, and each one exchange and one statement", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const cost = await costOf(async () => [await complete(60)]);
    expect(cost).toEqual({ statements: { aiki_start_runs: 1, aiki_commit_one: 59, aiki_end_one: 1 }, pushes: 60 });
  });

  test("20 starts one after another cost 20 statements beside the one of each run's only task", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const cost = await costOf(async () => {
      const runs: Started[] = [];
      for (let i = 0; i < 20; i++) runs.push(await complete(1));
      return runs;
    });
    expect(cost).toEqual({ statements: { aiki_start_runs: 20, aiki_end_one: 20 }, pushes: 20 });
  });

  test("64 runs of 5 tasks at the same time share statements: fewer than one per task", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { statements, pushes } = await costOf(manyAtOnce);
    const sent = Object.values(statements).reduce((sum, count) => sum + count, 0);
    console.log(`64 runs of 5 tasks: ${sent} statements, ${pushes} pushes`);
    expect(pushes).toBe(64 * 5);
    expect(sent).toBeLessThan(64 * 5);
  });
});

describe("with checkpoints", () => {
  withCheckpoints("on");

  test("60 sequential tasks cost one push, the statements of the start and the end, and one for each checkpoint", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const cost = await costOf(async () => [await complete(60)]);
    expect(cost).toEqual({ statements: { aiki_start_runs: 1, aiki_commit_one: 59, aiki_end_one: 1 }, pushes: 1 });
  });

  test("64 runs of 5 tasks at the same time share statements: fewer than one per task", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { statements, pushes } = await costOf(manyAtOnce);
    const sent = Object.values(statements).reduce((sum, count) => sum + count, 0);
    console.log(`64 runs of 5 tasks with checkpoints: ${sent} statements, ${pushes} pushes`);
    expect(pushes).toBe(64);
    expect(sent).toBeLessThan(64 * 5);
  });
});
