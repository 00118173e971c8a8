/**
 * The same workloads on both hosts, in one run on one Postgres: on Node, and on Workers by Miniflare. Beside each stands
 * what a request costs there that does nothing.
 */
import Table from "cli-table3";
import pg from "pg";
import { elapsedMs, median } from "./figures.js";
import { type Stage, type StageOptions, startStage } from "./stage.js";
import { fanOut, oneTask, sequential, throughput } from "./workloads.js";

const SAMPLES = 50;
const EMPTY = 200;
const RUNS = 200;
const STARTERS = 16;

interface Figures {
  readonly emptyMs: number;
  readonly oneTaskMs: number;
  readonly perTaskMs: number;
  readonly tasksPerSecond: number;
  readonly parallelMs: number;
}

export async function compareRuntimes({
  rounds,
  ...options
}: Omit<StageOptions, "runtime"> & { readonly rounds: number }): Promise<void> {
  const stages = {
    node: await startStage({ ...options, runtime: "node" }),
    workers: await startStage({ ...options, databaseUrl: await another(options.databaseUrl), runtime: "workers" }),
  };
  const measured = { node: [] as Figures[], workers: [] as Figures[] };
  for (let round = 0; round <= rounds; round++) {
    for (const runtime of ["node", "workers"] as const) {
      process.stderr.write(`${round === 0 ? "warming up" : `round ${round} of ${rounds}`} on ${runtime}\n`);
      const figures = await measure(stages[runtime]);
      if (round > 0) measured[runtime].push(figures);
    }
  }
  print(measured);
}

async function measure({ aiki, url }: Stage): Promise<Figures> {
  return {
    emptyMs: await emptyRequest(url),
    oneTaskMs: median(await oneTask(aiki, SAMPLES)),
    perTaskMs: await sequential(aiki, 100),
    tasksPerSecond: await throughput(aiki, RUNS, STARTERS),
    parallelMs: await fanOut(aiki, 100),
  };
}

async function emptyRequest(url: string): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < EMPTY; i++) {
    samples.push(await elapsedMs(async () => void (await (await fetch(`${url}/health`)).text())));
  }
  return median(samples);
}

/** A database of its own on the same server: each host has to find its runs alone. */
async function another(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("CREATE DATABASE bench_workers");
  await client.end();
  return databaseUrl.replace(/[^/]*$/, "bench_workers");
}

const ROWS: readonly (readonly [name: string, unit: string, pick: (figures: Figures) => number])[] = [
  ["floor: an empty request", "ms", ({ emptyMs }) => emptyMs],
  ["W1 start one task, await its result: p50", "ms", ({ oneTaskMs }) => oneTaskMs],
  ["W2 per sequential task, n = 100", "ms", ({ perTaskMs }) => perTaskMs],
  [`W3 ${RUNS} runs of 5 tasks, ${STARTERS} starters`, "tasks/s", ({ tasksPerSecond }) => tasksPerSecond],
  ["W4 one run of 100 parallel tasks", "ms", ({ parallelMs }) => parallelMs],
];

function print({ node, workers }: { readonly node: readonly Figures[]; readonly workers: readonly Figures[] }): void {
  const table = new Table({
    head: ["workload", "Node", "its floor", "Workers", "its floor"],
    style: { head: [], border: [] },
  });
  const floor = (all: readonly Figures[]) => median(all.map(({ emptyMs }) => emptyMs));
  for (const [name, unit, pick] of ROWS) {
    const shown = (all: readonly Figures[]) => {
      const value = median(all.map(pick));
      const times = unit === "ms" ? `${(value / floor(all)).toFixed(1)} floors` : "";
      return [`${value.toFixed(unit === "ms" ? 2 : 0)} ${unit}`, times];
    };
    table.push([name, ...shown(node), ...shown(workers)]);
  }
  console.log(table.toString());
  console.log("Floor: a request to /health of the same orchestrator, one at a time, p50.");
}
