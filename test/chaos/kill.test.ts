import { afterEach, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { longTests } from "../long.js";
import { type Fleet, startFleet } from "./fleet.js";
import { drawFaults, type Storm, type StormReport, weather } from "./storm.js";

const LEASE_MS = 1_500;
const TIMEOUT_MS = 400_000;
const SEEDS = longTests ? [1, 2, 3, 4, 5] : [1];

let fleet: Fleet | undefined;
let database: TestDatabase | undefined;
afterEach(async () => {
  await fleet?.stop();
  await database?.close();
});

async function run(storm: Storm, program?: string): Promise<StormReport> {
  database = await testDatabase();
  const settings = { AIKI_LEASE_MS: String(storm.leaseMs) };
  fleet = await startFleet({
    databaseUrl: database.url,
    replicas: 2,
    settings,
    ...(program !== undefined && { program }),
  });
  const report = await weather(fleet, database.pool, storm);
  const figures = { ...report, violations: report.violations.length };
  console.log(`${storm.runs} runs, faults: ${storm.faults.join(" ")}: ${JSON.stringify(figures)}`);
  return report;
}

test.each(SEEDS)(
  "500 runs of 5 tasks on two orchestrators, killed or paused 20 times in all, seed %i: exactly-once records",
  async (seed) => {
    const report = await run({ seed, runs: 500, tasks: 5, faults: drawFaults(seed, 20), leaseMs: LEASE_MS });
    expect(report.violations).toEqual([]);
    // Otherwise nothing was ever taken over, and nothing was tested.
    expect(report.repeated).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

const PAUSES: Storm = { seed: 1, runs: 120, tasks: 5, faults: ["pause", "pause", "pause"], leaseMs: LEASE_MS };

test(
  "the same with pauses only keeps every promise",
  async () => {
    expect((await run(PAUSES)).violations).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "negative control: with the fence taken out of the commits, the same pauses are seen to break them",
  async () => {
    const { violations } = await run(PAUSES, "unfenced.ts");
    expect(violations).toContainEqual(expect.stringMatching(/of generation \d+, made by a push of generation \d+/));
  },
  TIMEOUT_MS,
);
