import type { PushedRun } from "@aikirun/protocol";
import type { LoadedRun } from "../../src/core/run.js";
import { run } from "./steps.js";

/** A fixture's run as its lease holder loads it for the first time. */
export function factsOf({ id, workflow, version, input, createdAt }: PushedRun): LoadedRun {
  return run({ facts: { id, workflow, version, input, createdAt, timedFrom: createdAt } });
}
