/** Which object is called what, and calls to many of them. */
import type { Woken } from "../../dispatch/hold.js";
import type { Store } from "../../store/port.js";
import type { Bindings } from "./bindings.js";
import type { ClockObject } from "./clock-object.js";
import type { DeskObject } from "./desk-object.js";
import type { RunObject } from "./run-object.js";

/** Calls of one invocation under way at a time. */
const CALLS_AT_ONCE = 50;
/** Due runs that are read by one statement. */
const SWEEP_RUNS = 500;
/** What one invocation wakes; the rest is for the next minute. An invocation has 10,000 calls. */
const SWEEPS = 16;

/** What is called from outside. Every call is a message, and its answer a promise. */
type RunCalls = Pick<
  RunObject,
  "take" | "wake" | "wakeAt" | "lookAt" | "cancelSent" | "checkpoint" | "callback" | "changed" | "tell"
>;
type DeskCalls = Pick<DeskObject, "poll" | "serving" | "unserved" | "answer" | "giveBack" | "cancelSent">;
type ClockCalls = Pick<ClockObject, "tick" | "wakeAt" | "doubt">;

export function runObject({ RUNS }: Bindings, ns: string, runId: string): RunCalls {
  return RUNS.getByName(`${ns}/${runId}`) as unknown as RunCalls;
}

export function deskObject({ DESKS }: Bindings, ns: string): DeskCalls {
  return DESKS.getByName(ns) as unknown as DeskCalls;
}

export function clockObject({ CLOCK }: Bindings): ClockCalls {
  return CLOCK.getByName("clock") as unknown as ClockCalls;
}

/** Tells the objects of these runs that their runs are due. A call that fails is made good by the cron trigger. */
export async function wakeRuns(env: Bindings, { ns, runIds }: Woken): Promise<void> {
  await forEach(runIds, (runId) => runObject(env, ns, runId).wake(ns, runId));
}

/** Wakes every run that is due and that nobody holds. */
export async function sweep(env: Bindings, store: Store): Promise<void> {
  for (let i = 0; i < SWEEPS; i++) {
    const due = await store.dueRuns(SWEEP_RUNS);
    await forEach(due, ({ ns, runId }) => runObject(env, ns, runId).wake(ns, runId));
    if (due.length < SWEEP_RUNS) return;
  }
}

async function forEach<T>(all: readonly T[], call: (one: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let one = all[next++]; one !== undefined; one = all[next++]) await call(one).catch(() => {});
  };
  await Promise.all(Array.from({ length: Math.min(CALLS_AT_ONCE, all.length) }, work));
}
