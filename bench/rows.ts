/** The table: what was measured, beside its floor and what is aimed at. */
import Table from "cli-table3";
import { median, medianOfWhole, percentile } from "./figures.js";
import type { WakeUps } from "./workloads.js";

/** One round's figures: milliseconds unless they are named otherwise. */
export interface Round {
  /** One POST and one commit, before and after. */
  readonly pushMs: number;
  readonly pushAgainMs: number;
  readonly oneTask: readonly number[];
  readonly hundred: number;
  readonly thousand: number;
  /** Per second. */
  readonly grouped: number;
  readonly throughput: number;
  readonly fanOutFloor: number;
  readonly fanOut: number;
  readonly late: readonly number[];
  /** One POST and two commits. */
  readonly wakeFloor: number;
  readonly wakes: WakeUps;
}

export interface Sleeping {
  /** Of one core. */
  readonly cpuShare: number;
  readonly memoryMb: number;
}

interface Row {
  readonly name: string;
  readonly measured: number;
  readonly unit: string;
  readonly floor?: number;
  /** Measured / floor, or for rates the share of the floor. */
  readonly ratio?: number;
  readonly target: string;
  readonly note?: string;
}

export interface Sizes {
  readonly runs: number;
  readonly starters: number;
  readonly sleepers: number;
}

export function rowsOf(rounds: readonly Round[], sleeping: Sleeping | undefined, sizes: Sizes): Row[] {
  return [...sequentialRows(rounds), ...parallelRows(rounds, sizes), ...waitingRows(rounds, sleeping, sizes)];
}

type Over = (pick: (round: Round) => number) => number;
const overRounds =
  (rounds: readonly Round[]): Over =>
  (pick) =>
    median(rounds.map(pick));
const push = (round: Round): number => (round.pushMs + round.pushAgainMs) / 2;
const tails = (samples: readonly number[]): string =>
  [95, 99].map((rank) => `p${rank} ${percentile(samples, rank).toFixed(2)} ms`).join(", ");

function sequentialRows(rounds: readonly Round[]): Row[] {
  const over = overRounds(rounds);
  const perTask = over((round) => round.thousand / round.hundred);
  return [
    {
      name: "W1 start one task, await its result: p50",
      unit: "ms",
      measured: over((round) => median(round.oneTask)),
      floor: over(push),
      ratio: over((round) => median(round.oneTask) / push(round)),
      target: "-",
      note: tails(rounds.flatMap((round) => round.oneTask)),
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
  ];
}

function parallelRows(rounds: readonly Round[], { runs, starters }: Sizes): Row[] {
  const over = overRounds(rounds);
  return [
    {
      name: `W3 ${runs} runs of 5 tasks, ${starters} starters`,
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
      floor: over((round) => median(round.oneTask)),
      ratio: over((round) => round.fanOut / median(round.oneTask)),
      target: "at most 3",
      note: `the floor is a run of one task, which takes one push (W1); ${over((round) => round.fanOut / round.fanOutFloor).toFixed(2)} times a bare POST of 100 results and one commit`,
    },
  ];
}

function waitingRows(rounds: readonly Round[], sleeping: Sleeping | undefined, { sleepers }: Sizes): Row[] {
  const over = overRounds(rounds);
  const late = rounds.flatMap((round) => round.late);
  const rows: Row[] = [
    {
      name: "W5 lateness of 200 sleeps of 1 s: p95",
      unit: "ms",
      measured: over((round) => percentile(round.late, 95)),
      target: "under 50 ms",
      note: `none early; p50 ${median(late).toFixed(2)} ms, latest ${Math.max(...late).toFixed(2)} ms`,
    },
    {
      name: "W6 an event wakes a waiting run, from accepted to ended: p50",
      unit: "ms",
      measured: over((round) => medianOfWhole(round.wakes.inside)),
      floor: over((round) => round.wakeFloor),
      ratio: over((round) => medianOfWhole(round.wakes.inside) / round.wakeFloor),
      target: "under 2",
      note: "the floor is one POST and two commits; it and the event come to a machine at rest",
    },
    {
      name: "W6 the same, from sent to known complete: p50",
      unit: "ms",
      measured: over((round) => median(round.wakes.outside)),
      floor: over((round) => round.wakeFloor),
      ratio: over((round) => median(round.wakes.outside) / round.wakeFloor),
      target: "-",
      note: tails(rounds.flatMap((round) => round.wakes.outside)),
    },
  ];
  if (!sleeping) return rows;
  const name = `W7 ${sleepers.toLocaleString("en-US")} sleeping runs:`;
  return [
    ...rows,
    { name: `${name} idle CPU`, unit: "% of a core", measured: sleeping.cpuShare * 100, target: "under 1 %" },
    { name: `${name} memory`, unit: "MB more", measured: sleeping.memoryMb, target: "under 50 MB" },
  ];
}

export function print(rows: readonly Row[]): void {
  const table = new Table({
    head: ["workload", "measured", "floor", "ratio", "target"],
    style: { head: [], border: [] },
  });
  for (const { name, measured, floor, unit, ratio, target } of rows) {
    const shown = (value: number | undefined): string =>
      value === undefined ? "-" : `${value.toFixed(unit === "tasks/s" ? 0 : 2)} ${unit}`;
    table.push([name, shown(measured), shown(floor), ratio?.toFixed(2) ?? "-", target]);
  }
  console.log(table.toString());
  for (const { name, note } of rows) if (note) console.log(`${name}: ${note}`);
  console.log(
    "Floor: one POST to the same app and one commit in the same Postgres (W3: 64 at a time, commits merged).",
  );
}
