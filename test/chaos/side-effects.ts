/** The app's own append-only log: what really happened, told by somebody who knows nothing of Aiki's database. */
import { readFileSync, statSync } from "node:fs";

/** From the claims of a push that arrived. */
export interface Push {
  readonly runId: string;
  readonly pushId: string;
  readonly gen: number;
  /** The orchestrator that sent it, by its URL. */
  readonly from: string;
}

export type LogEntry =
  | ({ readonly type: "push" } & Push)
  /** Task number `at` of the run is about to begin. */
  | ({ readonly type: "start"; readonly at: number; readonly attempt: number } & Push);

export type Start = Extract<LogEntry, { type: "start" }>;

/** How long the log is now: what comes later starts here. */
export function endOfLog(path: string): number {
  return statSync(path).size;
}

export function readLog(path: string, fromByte = 0): LogEntry[] {
  return readFileSync(path)
    .subarray(fromByte)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LogEntry);
}

export function pushesIn(log: readonly LogEntry[]): Push[] {
  return log.filter((entry) => entry.type === "push");
}

export function startsIn(log: readonly LogEntry[]): Start[] {
  return log.filter((entry) => entry.type === "start");
}

/** How often each of the items occurs. */
export function countBy<T>(items: readonly T[], key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}
