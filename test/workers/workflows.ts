/** What the workers under test run. Every task says so in the test's own log before it does anything. */
import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { task, workflow } from "@aikirun/workflow";

export interface Entry {
  readonly what: "step" | "long" | "aborted";
  readonly runId: string;
  readonly at: number;
  readonly pid: number;
}

/** Where the log is; set before anything runs. */
export const effects: { log: string | undefined } = { log: process.env["LOG"] };

export function tell(what: Entry["what"], runId: string, at: number): void {
  if (effects.log === undefined) return;
  const entry: Entry = { what, runId, at, pid: process.pid };
  appendFileSync(effects.log, `${JSON.stringify(entry)}\n`);
}

const step = task({
  name: "step",
  async handler({ at, value, workMs }: { at: number; value: number; workMs: number }, { run }) {
    tell("step", run.id, at);
    await delay(workMs);
    return value + at;
  },
});

const long = task({
  name: "long",
  async handler(workMs: number, { run, signal }) {
    tell("long", run.id, 0);
    signal.addEventListener("abort", () => tell("aborted", run.id, 0));
    await delay(workMs, undefined, { signal });
  },
});

export const chainV1 = workflow({ name: "worker-chain" }).v("1.0.0", {
  async handler(run, { tasks, workMs }: { tasks: number; workMs: number }) {
    let value = 0;
    for (let at = 1; at <= tasks; at++) value = await step.start(run, { at, value, workMs });
    return value;
  },
});

export const longV1 = workflow({ name: "worker-long" }).v("1.0.0", {
  handler: async (run, workMs: number) => long.start(run, workMs),
});
