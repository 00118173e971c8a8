import type { PushedRun } from "@aikirun/protocol";
import type { LoadedRun } from "../../src/core/run.js";

/** A fixture's run as its lease holder loads it for the first time. */
export function factsOf(run: PushedRun): LoadedRun {
  const { id, workflow, version, input, createdAt } = run;
  const options = { reference: undefined, retry: undefined, timeoutMs: undefined, pool: undefined };
  return {
    facts: {
      ns: "default",
      id,
      workflow,
      version,
      input,
      createdAt,
      timedFrom: createdAt,
      ...options,
      parent: undefined,
    },
    fence: { epoch: 1, gen: 1, seq: 0 },
    status: "running",
    paused: false,
    startAt: undefined,
    tries: 1,
    trouble: undefined,
    seen: 0,
    queued: [],
    mail: [],
    records: [],
  };
}
