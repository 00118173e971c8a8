/**
 * Runs under orchestrators that are killed and paused. Everything that chance decides comes from the seed; what the
 * processes make of it does not.
 */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { Random } from "../../server/simulation/random.js";
import { orphansInPostgres } from "../../server/test/store/orphans.js";
import type { Fleet, Replica } from "./fleet.js";
import { startRun, untilAllEnded } from "./runs.js";
import { endOfLog, pushesIn, readLog, startsIn } from "./side-effects.js";
import { type Started, violations } from "./verify.js";

export interface Storm {
  readonly seed: number;
  readonly runs: number;
  readonly tasks: number;
  /** What happens, each time to one orchestrator at random. */
  readonly faults: readonly ("kill" | "pause")[];
  /** Of the orchestrators. */
  readonly leaseMs: number;
}

export interface StormReport {
  readonly violations: readonly string[];
  readonly executions: number;
  /** Executions beyond the first of their task. */
  readonly repeated: number;
  /** That arrived at the app. */
  readonly pushes: number;
  readonly elapsedMs: number;
}

/** Works a little the first time; when it is repeated, long enough that whoever was paused wakes up meanwhile. */
const WORK_MS = 150;
const TAKEN_OVER_MS = 10_000;
const END_MS = 120_000;

/** What happens in turn, as the seed decides. */
export function drawFaults(seed: number, count: number): ("kill" | "pause")[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => (random.chance(0.5) ? "kill" : "pause"));
}

export async function weather(fleet: Fleet, pool: pg.Pool, storm: Storm): Promise<StormReport> {
  const startedAt = performance.now();
  const random = new Random(storm.seed);
  const started: Started[] = [];
  const orphans = watchOrphans(pool);
  const inputs = Array.from({ length: storm.runs }, () => ({
    tasks: storm.tasks,
    start: random.int(0, 1_000_000),
    workMs: WORK_MS,
    againMs: 2 * storm.leaseMs,
  }));
  const start = async (count: number) => {
    const batch = inputs.splice(0, count).map((input) => startRun(fleet.replicas, input, random.int(0, 1)));
    started.push(...(await Promise.all(batch)));
  };
  const perFault = Math.ceil(storm.runs / storm.faults.length);
  for (const fault of storm.faults) {
    const before = start(Math.ceil(perFault / 2));
    await delay(random.int(20, 300));
    await Promise.all([before, strike(fault, fleet, random, storm.leaseMs), start(Math.floor(perFault / 2))]);
  }
  await untilAllEnded(pool, END_MS);
  const log = readLog(fleet.log);
  const found = [...(await orphans.stop()), ...(await violations(pool, started, log))];
  const executions = startsIn(log).length;
  const repeated = executions - storm.runs * storm.tasks;
  const pushes = pushesIn(log).length;
  return { violations: found, executions, repeated, pushes, elapsedMs: Math.round(performance.now() - startedAt) };
}

async function strike(fault: "kill" | "pause", fleet: Fleet, random: Random, leaseMs: number): Promise<void> {
  const victim = random.pick(fleet.replicas);
  if (fault === "pause") return pause(victim, fleet, random.int(0, 300), leaseMs);
  await victim.kill();
  await delay(random.int(0, 300));
  await victim.start();
}

/** Longer than the lease, and until somebody else executes what the victim believes to hold. */
async function pause(victim: Replica, fleet: Fleet, extraMs: number, leaseMs: number): Promise<void> {
  victim.pause();
  try {
    const from = endOfLog(fleet.log);
    const deadline = performance.now() + TAKEN_OVER_MS;
    await delay(1.2 * leaseMs);
    const isTakenOver = () => startsIn(readLog(fleet.log, from)).some(({ gen }) => gen > 1);
    while (!isTakenOver() && performance.now() < deadline) await delay(50);
    await delay(extraMs);
  } finally {
    victim.resume();
  }
}

/** Asks again and again, because every live run must have its reason to progress at every instant. */
function watchOrphans(pool: pg.Pool): { stop(): Promise<string[]> } {
  const seen = new Set<string>();
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      for (const orphan of await orphansInPostgres(pool)) seen.add(`orphan on the way: ${orphan}`);
      await delay(500, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      over.abort();
      await watching;
      return [...seen];
    },
  };
}
