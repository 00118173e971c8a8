import type { PushedRun } from "@aikirun/protocol";

/** What every line of a run's handler and of its tasks carries, where the logger has `child`. */
export function runBindings({ id, workflow, version }: PushedRun): Record<string, unknown> {
  return { run: id, workflow: `${workflow}@${version}` };
}
