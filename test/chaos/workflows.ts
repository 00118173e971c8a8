/** What the app under test serves. Every handler says so in the app's own log before it does anything. */
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { task, workflow } from "@aikirun/workflow";
import type { LogEntry, Push } from "./side-effects.js";

export interface ChainInput {
  readonly tasks: number;
  readonly start: number;
  /** How long a task works, at most. */
  readonly workMs: number;
  /** How long it works, at most, when this process has started the same task before. */
  readonly againMs?: number;
  /** Sleeps durably this long before the last task. */
  readonly sleepMs?: number;
}

/** The push that the code at hand is executed by. */
export const currentPush = new AsyncLocalStorage<Push>();

/** Where handlers write; the app sets it before it serves. */
export const effects: { append(entry: LogEntry): void } = { append() {} };

/** The step's own arithmetic: each result depends on the ones before it and on their order. */
export function follow(value: number, at: number): number {
  return (value * 31 + at + 1) % 1_000_003;
}

/** What a chain must come to. */
export function chainResult({ start, tasks }: ChainInput): number {
  let value = start;
  for (let at = 0; at < tasks; at++) value = follow(value, at);
  return value;
}

const startedBefore = new Set<string>();

const step = task({
  name: "step",
  async handler(input: { at: number; value: number; workMs: number; againMs: number }, { attempt, run }) {
    const push = currentPush.getStore();
    if (!push) throw new Error("A task runs within a push.");
    effects.append({ type: "start", at: input.at, attempt, ...push });
    const call = `${run.id} ${input.at}`;
    const mostMs = startedBefore.has(call) ? input.againMs : input.workMs;
    startedBefore.add(call);
    await delay(Math.random() * mostMs);
    // The generation goes with the result, so that a record tells which push really made it.
    return { value: follow(input.value, input.at), gen: push.gen };
  },
});

export const chainV1 = workflow({ name: "chain" }).v("1.0.0", {
  async handler(run, { tasks, start, workMs, againMs = workMs, sleepMs = 0 }: ChainInput): Promise<number> {
    let value = start;
    for (let at = 0; at < tasks; at++) {
      if (sleepMs > 0 && at === tasks - 1) await run.sleep("before-the-last", { milliseconds: sleepMs });
      value = (await step.start(run, { at, value, workMs, againMs })).value;
    }
    return value;
  },
});
