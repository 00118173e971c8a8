/**
 * `npm run bench [-- --rounds 5 --json FILE]`: W1 to W4, each beside its floor measured in the same round. Absolute times
 * belong to this machine and minute; the ratios are the result: the median over the rounds of workload / floor.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { client } from "@aikirun/client";
import { startEmbeddedPostgres } from "@aikirun/server";
import Table from "cli-table3";
import { freePort, Program, stopAll } from "../scripts/processes.js";
import { root } from "../scripts/workspaces.js";
import { median, percentile } from "./figures.js";
import { floors } from "./floors.js";
import { fanOut, oneTask, sequential, throughput } from "./workloads.js";

const ADMIN_KEY = "bench-admin-key-bench-admin-key-0123";
const RUNS = 1_000;
const STARTERS = 64;

interface Row {
  readonly name: string;
  readonly measured: number;
  readonly unit: string;
  readonly floor: number;
  /** Measured / floor, or for rates the share of the floor. */
  readonly ratio: number;
  readonly target: string;
  readonly note?: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, json: { type: "string" } } });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number of at least 1");
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "bench-"));
  const postgres = await startEmbeddedPostgres(join(folder, "data"));
  try {
    const rows = await measure(postgres.url, rounds);
    print(rows);
    if (values.json)
      writeFileSync(values.json, `${JSON.stringify({ rounds, node: process.version, rows }, null, 2)}\n`);
  } finally {
    await stopAll();
    await postgres.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(databaseUrl: string, rounds: number): Promise<Row[]> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const bin = join(root, "sdk/cli/dist/bin.js");
  const settings = {
    DATABASE_URL: databaseUrl,
    PORT: String(port),
    AIKI_ADMIN_KEY: ADMIN_KEY,
    AIKI_SECRET: Buffer.alloc(32, 7).toString("base64"),
    AIKI_PUBLIC_URL: url,
    AIKI_EGRESS_ALLOW: "127.0.0.0/8",
  };
  const migration = new Program({ name: "aiki migrate", cwd: root, args: [bin, "migrate"], env: settings });
  await migration.ended;
  const orchestrator = new Program({ name: "the orchestrator", cwd: root, args: [bin, "start"], env: settings });
  await orchestrator.line(/aiki ready/, 30_000);
  const app = new Program({
    name: "the app",
    cwd: root,
    args: ["--import", "tsx", join(root, "bench/endpoint.ts")],
    env: { AIKI_URL: url, NODE_ENV: "production" },
  });
  const [, appPort] = await app.line(/listening (\d+)/, 30_000);
  const appUrl = `http://127.0.0.1:${appPort}`;
  const aiki = client({ url, apiKey: ADMIN_KEY });
  await register(url, `${appUrl}/api/aiki`);
  const floor = await floors(databaseUrl, appUrl);

  const rounded: Round[] = [];
  for (let round = 0; round <= rounds; round++) {
    process.stderr.write(round === 0 ? "warming up\n" : `round ${round} of ${rounds}\n`);
    const one: Round = {
      pushMs: await floor.pushMs(300),
      oneTask: await oneTask(aiki, 200),
      hundred: await sequential(aiki, 100),
      pushAgainMs: await floor.pushMs(300),
      thousand: await sequential(aiki, 1_000),
      grouped: await floor.groupedPerSecond(RUNS * 5, STARTERS),
      throughput: await throughput(aiki, RUNS, STARTERS),
      fanOutFloor: await floor.fanOutMs(100, 50),
      fanOut: median(await repeat(10, () => fanOut(aiki, 100))),
    };
    if (round > 0) rounded.push(one);
  }
  await floor.close();
  return rowsOf(rounded);
}

interface Round {
  readonly pushMs: number;
  readonly pushAgainMs: number;
  readonly oneTask: readonly number[];
  readonly hundred: number;
  readonly thousand: number;
  readonly grouped: number;
  readonly throughput: number;
  readonly fanOutFloor: number;
  readonly fanOut: number;
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const over = (pick: (round: Round) => number): number => median(rounds.map(pick));
  const push = (round: Round): number => (round.pushMs + round.pushAgainMs) / 2;
  const all = rounds.flatMap((round) => round.oneTask);
  const tails = [95, 99].map((rank) => `p${rank} ${percentile(all, rank).toFixed(2)} ms`).join(", ");
  const perTask = over((round) => round.thousand / round.hundred);
  return [
    {
      name: "W1 start one task, await its result: p50",
      unit: "ms",
      measured: over((round) => median(round.oneTask)),
      floor: over(push),
      ratio: over((round) => median(round.oneTask) / push(round)),
      target: "-",
      note: tails,
    },
    {
      name: "W2 per sequential task, n = 100",
      unit: "ms",
      measured: over((round) => round.hundred),
      floor: over(push),
      ratio: over((round) => round.hundred / push(round)),
      target: "at most 2",
    },
    {
      name: "W2 per sequential task, n = 1,000",
      unit: "ms",
      measured: over((round) => round.thousand),
      floor: over(push),
      ratio: over((round) => round.thousand / push(round)),
      target: "at most 2",
      note: `n = 1,000 costs ${perTask.toFixed(2)} times n = 100 (target: at most 1.5)`,
    },
    {
      name: `W3 ${RUNS} runs of 5 tasks, ${STARTERS} starters`,
      unit: "tasks/s",
      measured: over((round) => round.throughput),
      floor: over((round) => round.grouped),
      ratio: over((round) => round.throughput / round.grouped),
      target: "at least 0.25",
    },
    {
      name: "W4 one run of 100 parallel tasks",
      unit: "ms",
      measured: over((round) => round.fanOut),
      floor: over((round) => round.fanOutFloor),
      ratio: over((round) => round.fanOut / round.fanOutFloor),
      target: "at most 3",
      note: `${over((round) => round.fanOut / median(round.oneTask)).toFixed(2)} times a run of one push (W1)`,
    },
  ];
}

function print(rows: readonly Row[]): void {
  const table = new Table({
    head: ["workload", "measured", "floor", "ratio", "target"],
    style: { head: [], border: [] },
  });
  for (const { name, measured, floor, unit, ratio, target } of rows) {
    const shown = (value: number): string => `${value.toFixed(unit === "ms" ? 2 : 0)} ${unit}`;
    table.push([name, shown(measured), shown(floor), ratio.toFixed(2), target]);
  }
  console.log(table.toString());
  for (const { name, note } of rows) if (note) console.log(`${name}: ${note}`);
  console.log(
    "Floor: one POST to the same app and one commit in the same Postgres (W3: 64 at a time, commits merged).",
  );
}

async function register(url: string, endpoint: string): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };
  const body = JSON.stringify({ url: endpoint, name: "bench", concurrency: 256 });
  const response = await fetch(`${url}/v1/endpoints`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(`the endpoint was not registered: ${await response.text()}`);
}

async function repeat(count: number, work: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) samples.push(await work());
  return samples;
}

await main();
