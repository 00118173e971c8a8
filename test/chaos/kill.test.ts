import { afterEach, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { longTests } from "../long.js";
import { type Fleet, startFleet } from "./fleet.js";
import { drawFaults, type Storm, type StormReport, weather } from "./storm.js";

const LEASE_MS = 1_500;
const TIMEOUT_MS = 400_000;
type Checkpoints = "on" | "off";
/** Each way of advancing a run has seeds of its own. */
const STORMS: [runs: number, faults: number, checkpoints: Checkpoints, seed: number][] = longTests
  ? [
      [500, 20, "on", 1],
      [500, 20, "off", 2],
      [500, 20, "on", 3],
      [500, 20, "off", 4],
      [500, 20, "on", 5],
    ]
  : [
      [500, 20, "on", 1],
      [200, 8, "off", 2],
    ];

let fleet: Fleet | undefined;
let database: TestDatabase | undefined;
afterEach(async () => {
  await fleet?.stop();
  await database?.close();
});

async function run(storm: Storm, checkpoints: Checkpoints, program?: string): Promise<StormReport> {
  database = await testDatabase();
  const settings = { AIKI_LEASE_MS: String(storm.leaseMs), AIKI_CHECKPOINTS: checkpoints };
  fleet = await startFleet({
    databaseUrl: database.url,
    replicas: 2,
    settings,
    ...(program !== undefined && { program }),
  });
  const report = await weather(fleet, database.pool, storm);
  const figures = { ...report, violations: report.violations.length };
  console.log(
    `${storm.runs} runs, checkpoints ${checkpoints}, faults: ${storm.faults.join(" ")}: ${JSON.stringify(figures)}`,
  );
  return report;
}

test.each(STORMS)(
  "%i runs of 5 tasks on two orchestrators, killed or paused %i times in all, checkpoints %s, seed %i: exactly-once records",
  async (runs, faults, checkpoints, seed) => {
    const storm = { seed, runs, tasks: 5, faults: drawFaults(seed, faults), leaseMs: LEASE_MS };
    const report = await run(storm, checkpoints);
    expect(report.violations).toEqual([]);
    // Otherwise nothing was ever taken over, and nothing was tested.
    expect(report.repeated).toBeGreaterThan(0);
    if (checkpoints === "on") expect(report.pushes).toBeLessThan(0.7 * report.executions);
    else expect(report.pushes).toBeGreaterThanOrEqual(report.executions);
  },
  TIMEOUT_MS,
);

const PAUSES: Storm = { seed: 1, runs: 120, tasks: 5, faults: ["pause", "pause", "pause"], leaseMs: LEASE_MS };

test(
  "the same with pauses only keeps every promise",
  async () => {
    expect((await run(PAUSES, "off")).violations).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "negative control: with the fence taken out of the commits, the same pauses are seen to break them",
  async () => {
    const { violations } = await run(PAUSES, "off", "unfenced.ts");
    expect(violations).toContainEqual(expect.stringMatching(/of generation \d+, made by a push of generation \d+/));
  },
  TIMEOUT_MS,
);
