import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@aikirun/client";
import type { Run } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { readWholeHistory, type TimedRecord } from "../history.js";
import { oneLine } from "../text.js";

export interface WatchEvents {
  /** Once, before anything else. */
  readonly begin: (run: Run) => void;
  readonly record: (record: TimedRecord) => void;
  /** Why the run, or the watching, cannot go on for now; empty when it can again. Told only when it changes. */
  readonly trouble: (text: string) => void;
}

type Watched = Pick<Client, "getRun" | "readHistory" | "waitForEnd">;

/** Milliseconds between two looks at a run: short while it moves, longer while it rests. */
const QUICK_LOOK_MS = 200;
const SLOW_LOOK_MS = 1_000;
/** A restart of the orchestrator is no reason to stop watching. */
const OUTAGE_MS = 60_000;

/** Follows a run until it ends; resolves with it. Rejects with `ABORTED` when the signal aborts; the run goes on. */
export async function watchRun(aiki: Watched, runId: string, events: WatchEvents, signal?: AbortSignal): Promise<Run> {
  let run = await aiki.getRun(runId);
  events.begin(run);
  let seen = 0;
  let lookMs = QUICK_LOOK_MS;
  let awaySince: number | undefined;
  /** `run` was read since its trouble was told. */
  let looked = true;
  const tell = onChange(events.trouble);
  for (let ended = run.endedAt !== undefined; ; ) {
    try {
      const records = await readWholeHistory(aiki, runId, seen);
      for (const record of records) events.record(record);
      seen = records.at(-1)?.n ?? seen;
      // The history was read after the end was seen, so that nothing is missing.
      if (ended) return run;
      if (looked) tell(troubleText(run));
      looked = false;
      lookMs = records.length > 0 ? QUICK_LOOK_MS : Math.min(lookMs * 2, SLOW_LOOK_MS);
      ({ ended, run } = await aiki.waitForEnd(runId, { timeoutMs: lookMs, ...(signal && { signal }) }));
      awaySince = undefined;
      looked = true;
    } catch (error) {
      awaySince ??= performance.now();
      if (!isOutage(error) || performance.now() - awaySince > OUTAGE_MS) throw error;
      tell(error.message);
      await pause(SLOW_LOOK_MS, undefined, signal && { signal }).catch(() => throwAborted());
    }
  }
}

function isOutage(error: unknown): error is AikiError {
  return error instanceof AikiError && ["ORCHESTRATOR_UNREACHABLE", "DATABASE_UNAVAILABLE"].includes(error.code);
}

function throwAborted(): never {
  throw new AikiError("ABORTED", "The watching was given up.");
}

function onChange(tell: (text: string) => void): (text: string) => void {
  let told = "";
  return (text) => {
    if (text !== told) tell(text);
    told = text;
  };
}

function troubleText(run: Run): string {
  if (run.trouble) return oneLine(`${run.status}: ${run.trouble.code} ${run.trouble.message}`, 500);
  if (run.status === "paused") return "paused";
  const endpoint = run.waitsFor.find((wait) => wait.kind === "endpoint");
  return endpoint ? `waits until an endpoint serves ${run.workflow}@${run.version}` : "";
}
