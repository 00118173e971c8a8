/**
 * `npm run bench [-- --rounds 5 --checkpoints off --json FILE]`: W1 to W7; with `--runtime workers` W1 to W4 on Node and on
 * Workers, side by side, each beside its floor measured in the same
 * round. Absolute times belong to this machine and minute; the ratios are the result: the median over the rounds of
 * workload / floor.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEmbeddedPostgres } from "@aikirun/server";
import { stopAll } from "../scripts/processes.js";
import { root } from "../scripts/workspaces.js";
import { median } from "./figures.js";
import { type Floors, floors } from "./floors.js";
import { print, type Round, rowsOf, type Sleeping } from "./rows.js";
import { compareRuntimes } from "./runtimes.js";
import { type Stage, startStage, usageOf } from "./stage.js";
import { fanOut, lateness, oneTask, sequential, sleepers, throughput, wakeUps } from "./workloads.js";

const RUNS = 1_000;
const STARTERS = 64;
const SLEEPERS = 10_000;
/** How long the sleepers are watched. */
const WATCH_MS = 10_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      checkpoints: { type: "string", default: "on" },
      json: { type: "string" },
      runtime: { type: "string", default: "node" },
    },
  });
  const rounds = Number(values.rounds);
  const { checkpoints, json, runtime } = values;
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number of at least 1");
  if (checkpoints !== "on" && checkpoints !== "off") throw new Error("--checkpoints takes on or off");
  if (runtime !== "node" && runtime !== "workers") throw new Error("--runtime takes node or workers");
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "bench-"));
  const postgres = await startEmbeddedPostgres(join(folder, "data"));
  try {
    if (runtime === "workers") return await compareRuntimes({ databaseUrl: postgres.url, folder, checkpoints, rounds });
    const stage = await startStage({ databaseUrl: postgres.url, checkpoints, runtime: "node", folder });
    const floor = await floors(postgres.url, stage.appUrl);
    const measured: Round[] = [];
    for (let round = 0; round <= rounds; round++) {
      process.stderr.write(round === 0 ? "warming up\n" : `round ${round} of ${rounds}\n`);
      const one = await oneRound(stage, floor, postgres.url);
      if (round > 0) measured.push(one);
    }
    await floor.close();
    process.stderr.write(`${SLEEPERS.toLocaleString("en-US")} sleepers\n`);
    const rows = rowsOf(measured, await sleeping(stage), { runs: RUNS, starters: STARTERS, sleepers: SLEEPERS });
    print(rows);
    if (json) writeFileSync(json, `${JSON.stringify({ rounds, checkpoints, node: process.version, rows }, null, 2)}\n`);
  } finally {
    await stopAll();
    await postgres.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function oneRound({ aiki }: Stage, floor: Floors, databaseUrl: string): Promise<Round> {
  return {
    pushMs: await floor.pushMs(300),
    oneTask: await oneTask(aiki, 200),
    hundred: await sequential(aiki, 100),
    pushAgainMs: await floor.pushMs(300),
    thousand: await sequential(aiki, 1_000),
    grouped: await floor.groupedPerSecond(RUNS * 5, STARTERS),
    throughput: await throughput(aiki, RUNS, STARTERS),
    fanOutFloor: await floor.fanOutMs(100, 50),
    fanOut: median(await repeat(10, () => fanOut(aiki, 100))),
    late: await lateness(aiki, 200, 1_000),
    wakeFloor: await floor.wakeMs(100),
    wakes: await wakeUps(aiki, databaseUrl, 100),
  };
}

/** What sleeping runs cost while nothing happens. Undefined where a process cannot be looked at. */
async function sleeping({ aiki, orchestrator }: Stage): Promise<Sleeping | undefined> {
  const before = usageOf(orchestrator);
  const cancel = await sleepers(aiki, SLEEPERS);
  const asleep = usageOf(orchestrator);
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  const after = usageOf(orchestrator);
  await cancel();
  if (!before || !asleep || !after) return undefined;
  return { cpuShare: (after.cpuMs - asleep.cpuMs) / WATCH_MS, memoryMb: after.memoryMb - before.memoryMb };
}

async function repeat(count: number, work: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) samples.push(await work());
  return samples;
}

await main();
