/** Why nothing happens any more, for the person who wrote the test. */
import { AikiError, type OpenWait, type Run } from "@aikirun/protocol";
import type { Store } from "@aikirun/server/testing";
import { NAMESPACE } from "./network.js";

/** The runs of a chain of children that are told of. */
const MOST_RUNS = 10;

/** Some of the runs that were to end and do not. `why` completes the sentence that says so. */
export async function stuck(
  store: Store,
  runs: readonly Run[],
  why: string,
  count: number = runs.length,
): Promise<AikiError> {
  const shown = await withChildren(store, runs);
  const lines = shown.map((run) => `  ${nameOf(run)} is ${run.status}: ${reasonOf(run)}`);
  const what = count === 1 ? "A run has not ended" : `${count} runs have not ended`;
  return new AikiError("RUN_STUCK", `${what}${why}.\n${lines.join("\n")}`, {
    details: { runs: shown.map(({ id, status, waitsFor }) => ({ id, status, waitsFor })) },
  });
}

export function nameOf({ workflow, version, id }: Pick<Run, "workflow" | "version" | "id">): string {
  return `${workflow}@${version} ${id}`;
}

async function withChildren(store: Store, runs: readonly Run[]): Promise<Run[]> {
  const found = new Map(runs.map((run) => [run.id, run]));
  for (const run of found.values()) {
    for (const { runId } of run.waitsFor) {
      if (runId === undefined || found.has(runId)) continue;
      const child = await store.getRun(NAMESPACE, runId);
      if (child && !child.endedAt) found.set(runId, child);
    }
  }
  return [...found.values()].slice(0, MOST_RUNS);
}

function reasonOf({ status, trouble, waitsFor }: Run): string {
  if (status === "paused") return "resume() lets it go on.";
  if (status === "stalled" && trouble) return `${trouble.code} ${trouble.message}`;
  if (waitsFor.length > 0) return `it waits for ${waitsFor.map(waitText).join(", ")}.`;
  return trouble ? `${trouble.code} ${trouble.message}` : "its handler awaits something that never settles.";
}

function waitText({ kind, name, at, runId }: OpenWait): string {
  if (kind === "event" && at === undefined) return `event ${name}, which nobody has sent`;
  const when = at === undefined ? "" : ` until ${new Date(at).toISOString()}`;
  return `${kind} ${runId ?? name}${when}`;
}
