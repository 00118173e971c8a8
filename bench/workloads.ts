/** W1 to W4: what a user waits for, measured from outside through the client. */
import type { Client } from "@aikirun/client";
import { concurrently, elapsedMs } from "./figures.js";
import { parallelV1, sequentialV1 } from "./workflows.js";

/** Long enough that every wait comes to its end; a run that does not end fails the benchmark. */
const WAIT = { timeout: { minutes: 5 } } as const;

async function complete(aiki: Client, version: typeof sequentialV1 | typeof parallelV1, tasks: number): Promise<void> {
  const handle = await version.start(aiki, { tasks });
  const outcome = await handle.waitForStatus("completed", WAIT);
  if (!outcome.success) throw new Error(`run ${handle.id} did not complete: ${outcome.cause}`);
  if (outcome.state.output !== tasks)
    throw new Error(`run ${handle.id} returned ${outcome.state.output}, not ${tasks}`);
}

/** W1: a run of one task and its result, one after another. One sample each, in milliseconds. */
export async function oneTask(aiki: Client, count: number): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) samples.push(await elapsedMs(() => complete(aiki, sequentialV1, 1)));
  return samples;
}

/** W2: one run of `tasks` sequential tasks. Milliseconds per task. */
export async function sequential(aiki: Client, tasks: number): Promise<number> {
  return (await elapsedMs(() => complete(aiki, sequentialV1, tasks))) / tasks;
}

/** W3: many runs of five tasks from 64 starters. Tasks per second until all are complete. */
export async function throughput(aiki: Client, runs: number, starters: number): Promise<number> {
  const tasks = 5;
  const ms = await elapsedMs(() => concurrently(runs, starters, () => complete(aiki, sequentialV1, tasks)));
  return ((runs * tasks) / ms) * 1_000;
}

/** W4: one run of `tasks` parallel tasks. Milliseconds. */
export async function fanOut(aiki: Client, tasks: number): Promise<number> {
  return elapsedMs(() => complete(aiki, parallelV1, tasks));
}
