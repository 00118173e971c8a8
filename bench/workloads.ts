/** W1 to W7: what a user waits for, measured from outside through the client, and what of W6 is the orchestrator's own. */
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@aikirun/client";
import pg from "pg";
import { concurrently, elapsedMs, SETTLE_MS } from "./figures.js";
import { parallelV1, sequentialV1, sleeperV1, waiterV1 } from "./workflows.js";

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

/**
 * W5: runs that each sleep `sleepMs`, all at once. How late each woke, in milliseconds by the database's clock, from the
 * instant that was promised to the commit that says so. Throws for one that woke early. Histories are read when all are
 * over, so that nobody's reading keeps another from waking.
 */
export async function lateness(aiki: Client, runs: number, sleepMs: number): Promise<number[]> {
  const ids: string[] = [];
  await concurrently(runs, runs, async () => {
    const handle = await sleeperV1.start(aiki, { sleepMs });
    const outcome = await handle.waitForStatus("completed", WAIT);
    if (!outcome.success) throw new Error(`run ${handle.id} did not complete: ${outcome.cause}`);
    ids.push(handle.id);
  });
  const samples: number[] = [];
  for (const id of ids) {
    const { records } = await aiki.readHistory(id);
    const asleep = records.find(({ value }) => value.state === "sleeping");
    const awake = records.find(({ kind, value }) => kind === "sleep" && value.state === "completed");
    if (asleep?.value.state !== "sleeping" || !awake) throw new Error(`run ${id} did not sleep`);
    if (awake.at < asleep.value.wakeAt) throw new Error(`run ${id} woke before its time`);
    samples.push(awake.at - asleep.value.wakeAt);
  }
  return samples;
}

/** What it takes an event to wake its run, in milliseconds. */
export interface WakeUps {
  /** From sending it to knowing that the run is complete: two requests to the orchestrator more than `inside`. */
  readonly outside: readonly number[];
  /** From accepting it to ending the run, by the database's clock, which counts whole milliseconds. */
  readonly inside: readonly number[];
}

/** W6: a run waits for an event, gets it and ends. */
export async function wakeUps(aiki: Client, databaseUrl: string, count: number): Promise<WakeUps> {
  const outside: number[] = [];
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const handle = await waiterV1.start(aiki);
    while ((await handle.refresh()).waitsFor.length === 0);
    const ended = handle.waitForStatus("completed", WAIT);
    // The one who waits for the end has asked before the event is sent.
    await pause(SETTLE_MS);
    outside.push(
      await elapsedMs(async () => {
        await handle.events.go.send();
        const outcome = await ended;
        if (!outcome.success) throw new Error(`run ${handle.id} did not complete: ${outcome.cause}`);
      }),
    );
    ids.push(handle.id);
  }
  return { outside, inside: await acceptedToEnded(databaseUrl, ids) };
}

async function acceptedToEnded(databaseUrl: string, ids: readonly string[]): Promise<number[]> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    const { rows } = await database.query<{ ms: number }>(
      `SELECT (r.ended_at - m.accepted_at)::int AS ms
      FROM aiki.run r JOIN aiki.mailbox m ON m.ns = r.ns AND m.run_id = r.id WHERE r.id = ANY ($1)`,
      [ids],
    );
    if (rows.length !== ids.length) throw new Error(`${rows.length} of ${ids.length} events were found`);
    return rows.map(({ ms }) => ms);
  } finally {
    await database.end();
  }
}

/** W7: starts runs that sleep for a day, and waits until all of them do. Gives the way to end them. */
export async function sleepers(aiki: Client, runs: number): Promise<() => Promise<void>> {
  const outcomes = await sleeperV1.startMany(
    aiki,
    Array.from({ length: runs }, () => ({ sleepMs: 86_400_000 })),
  );
  const refused = outcomes.find((outcome) => !outcome.success);
  if (refused) throw new Error(`a sleeper was refused: ${JSON.stringify(refused)}`);
  for (let awake = true; awake; await pause(250)) {
    const { runs: left } = await aiki.listRuns({ workflow: sleeperV1.name, status: "queued,running", limit: 1 });
    awake = left.length > 0;
  }
  return async () => {
    await aiki.cancelRuns({ filter: { workflow: sleeperV1.name } });
  };
}
