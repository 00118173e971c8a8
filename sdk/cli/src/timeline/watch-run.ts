import type { Client } from "@aikirun/client";
import type { Run } from "@aikirun/protocol";
import { readWholeHistory, type TimedRecord } from "../history.js";
import { oneLine } from "../text.js";

export interface WatchEvents {
  /** Once, before anything else. */
  readonly begin: (run: Run) => void;
  readonly record: (record: TimedRecord) => void;
  /** The run cannot go on for now, and why; told again only when the reason changes. */
  readonly trouble: (text: string) => void;
}

type Watched = Pick<Client, "getRun" | "readHistory" | "waitForEnd">;

/** Milliseconds between two looks at a run: short while it moves, longer while it rests. */
const QUICK_LOOK_MS = 200;
const SLOW_LOOK_MS = 2_000;

/** Follows a run until it ends; resolves with it. Rejects with `ABORTED` when the signal aborts; the run goes on. */
export async function watchRun(aiki: Watched, runId: string, events: WatchEvents, signal?: AbortSignal): Promise<Run> {
  let run = await aiki.getRun(runId);
  events.begin(run);
  let seen = 0;
  let told = "";
  let lookMs = QUICK_LOOK_MS;
  for (let ended = run.endedAt !== undefined; ; ) {
    const records = await readWholeHistory(aiki, runId, seen);
    for (const record of records) events.record(record);
    seen = records.at(-1)?.n ?? seen;
    // The history was read after the end was seen, so that nothing is missing.
    if (ended) return run;
    const trouble = troubleText(run);
    if (trouble !== told) events.trouble(trouble);
    told = trouble;
    lookMs = records.length > 0 ? QUICK_LOOK_MS : Math.min(lookMs * 2, SLOW_LOOK_MS);
    ({ ended, run } = await aiki.waitForEnd(runId, { timeoutMs: lookMs, ...(signal && { signal }) }));
  }
}

function troubleText(run: Run): string {
  if (run.trouble) return oneLine(`${run.status}: ${run.trouble.code} ${run.trouble.message}`, 500);
  if (run.status === "paused") return "paused";
  const endpoint = run.waitsFor.find((wait) => wait.kind === "endpoint");
  return endpoint ? `waits until an endpoint serves ${run.workflow}@${run.version}` : "";
}
