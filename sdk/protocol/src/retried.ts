import type { HistoryRecord } from "./history.js";
import { childOfWait } from "./key.js";

/**
 * Keys of the entries that a `retried` record hides, of a run whose entries stand as given (the last record of each key):
 * tasks that failed or were to be tried again, children that ended other than completed, the waits for those, and what
 * was given up. The handler then asks anew: for a child under the next index, because one that has ended is not started
 * again; for anything else under the same key, so that a task keeps its idempotency key. Orchestrator and SDK must agree,
 * so it stands here.
 */
export function hiddenByRetry(entries: Iterable<HistoryRecord>): string[] {
  const all = [...entries];
  const hidden = new Set(all.filter(isHidden).map(({ key }) => key));
  for (const { key } of all) if (hidden.has(childOfWait(key) ?? "")) hidden.add(key);
  return [...hidden];
}

/** Which attempt of its handler a run with this history is in. */
export function runAttemptOf(records: readonly HistoryRecord[]): number {
  return 1 + records.filter(({ kind, value }) => kind === "run" && value.state === "retried").length;
}

function isHidden({ kind, value }: HistoryRecord): boolean {
  if (kind === "task") return value.state === "failed" || value.state === "retrying";
  if (value.state === "closed") return true;
  return kind === "child" && value.state === "ended" && value.status !== "completed";
}
