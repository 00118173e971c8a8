/** A run in the memory of whoever holds its lease: the loaded row and history, indexed for decisions. */
import type { Fence, HistoryRecord } from "@aikirun/protocol";
import { hiddenByRetry } from "@aikirun/protocol/canonical";
import type { LoadedRun, QueuedMail, RunFacts, Trouble } from "./run.js";

/** The part of a record that says which state the entry is in. */
export type Entry = HistoryRecord;

export interface RunState {
  readonly facts: RunFacts;
  fence: Fence;
  paused: boolean;
  stalled: boolean;
  /** Not to be pushed before this instant. Undefined once the run has begun. */
  startAt: number | undefined;
  /** Children that were told of this run's cancel, ahead of the commit that ends it. */
  readonly told: Set<string>;
  tries: number;
  trouble: Trouble | undefined;
  /** Highest message read. */
  seen: number;
  /** Events read and not received yet, oldest first. */
  queued: readonly QueuedMail[];
  /** The whole history, in order: record `n` stands at index `n - 1`. */
  readonly records: HistoryRecord[];
  /** 1, and one more for every `retried` record. */
  runAttempt: number;
  /** What the time limit counts from. */
  timedFrom: number;
  /** How long the run may take; undefined while no limit of its own is known. */
  timeoutMs: number | undefined;
  /** The last record of each key, without what a retry has hidden. */
  readonly entries: Map<string, Entry>;
  /** Keys of the entries that time or a message can still change. */
  readonly open: Set<string>;
}

/** Whether time or a message can still change this entry. */
export function isOpen(entry: Entry): boolean {
  switch (entry.kind) {
    case "task":
      return entry.value.state === "retrying" && entry.value.due !== true;
    case "sleep":
      return entry.value.state === "sleeping";
    case "event":
    case "wait":
      return entry.value.state === "waiting";
    case "child":
      return entry.value.state === "started";
    case "run":
      return entry.value.state === "retrying";
  }
}

/** When an open entry ends by itself, by the database's clock. Undefined: only a message can end it. */
export function dueAtOf(entry: Entry): number | undefined {
  if (!isOpen(entry)) return undefined;
  if ((entry.kind === "task" || entry.kind === "run") && entry.value.state === "retrying")
    return entry.value.nextAttemptAt;
  if (entry.kind === "sleep" && entry.value.state === "sleeping") return entry.value.wakeAt;
  if ((entry.kind === "event" || entry.kind === "wait") && entry.value.state === "waiting")
    return entry.value.timeoutAt;
  return undefined;
}

export function stateOf(run: LoadedRun): RunState {
  const state: RunState = {
    facts: run.facts,
    fence: run.fence,
    paused: run.paused,
    stalled: run.status === "stalled",
    startAt: run.startAt,
    told: new Set(),
    tries: run.tries,
    trouble: run.trouble,
    seen: run.seen,
    queued: run.queued,
    records: [],
    runAttempt: 1,
    timedFrom: run.facts.timedFrom,
    timeoutMs: run.facts.timeoutMs,
    entries: new Map(),
    open: new Set(),
  };
  for (const record of run.records) addRecord(state, record);
  return state;
}

export function addRecord(state: RunState, record: HistoryRecord): void {
  state.records.push(record);
  state.entries.set(record.key, record);
  if (isOpen(record)) state.open.add(record.key);
  else state.open.delete(record.key);
  if (record.kind !== "run") return;
  const { value } = record;
  if (value.state === "limited") state.timeoutMs ??= value.timeoutMs;
  if (value.state === "woken") state.timedFrom = value.at;
  if (value.state !== "retried") return;
  state.runAttempt = value.runAttempt;
  state.timedFrom = value.reopenedAt ?? state.timedFrom;
  for (const key of hiddenByRetry(state.entries.values())) {
    state.entries.delete(key);
    state.open.delete(key);
  }
}

/**
 * When the run is out of time, by the database's clock; undefined when it may take as long as it wants.
 * `versionMs`: the limit of its version, which counts for a run that has none of its own.
 */
export function timeoutAtOf(state: RunState, versionMs: number | undefined): number | undefined {
  const timeoutMs = state.timeoutMs ?? versionMs;
  return timeoutMs === undefined ? undefined : state.timedFrom + timeoutMs;
}

/** The earliest instant at which an open entry ends by itself; null when none does. */
export function earliestTimer(entries: Iterable<Entry>): number | null {
  let earliest: number | null = null;
  for (const entry of entries) {
    const at = dueAtOf(entry);
    if (at !== undefined && (earliest === null || at < earliest)) earliest = at;
  }
  return earliest;
}
