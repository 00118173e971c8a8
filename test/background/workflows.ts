/** A workflow whose tasks take as long as its input says, and tell of themselves before they do anything. */
import { setTimeout as delay } from "node:timers/promises";
import { task, workflow } from "@aikirun/workflow";
import { tell } from "../workers/workflows.js";

const step = task({
  name: "step",
  async handler({ at, ms }: { at: number; ms: number }, { run, signal }) {
    tell("step", run.id, at);
    signal.addEventListener("abort", () => tell("aborted", run.id, at));
    await delay(ms, undefined, { signal });
    return ms;
  },
});

export const stepsOf = (name: string) =>
  workflow({ name: `steps-${name}` }).v("1.0.0", {
    async handler(run, takeMs: readonly number[]) {
      let sum = 0;
      for (const [at, ms] of takeMs.entries()) sum += await step.start(run, { at, ms });
      return sum;
    },
  });
