/** What a store must bring to be tested, and the runs, messages and commits that the tests are made of. */
import type { HistoryRecord } from "@aikirun/protocol";
import { LIMITS, newId } from "@aikirun/protocol/canonical";
import type { Commit, LoadedRun, MessageBody, NewChild, NewMessage, NewRun } from "../../../src/core/run.js";
import type { CommitOutcome, NewSchedule, Store } from "../../../src/store/port.js";

/** One database, empty, and several processes' stores on it. */
export interface Arena {
  /** At least eight, so that their statements really meet. In memory they are all the same. */
  readonly stores: readonly [Store, ...Store[]];
  /** Ids of live runs that do not have exactly one reason to progress. */
  orphans(): Promise<string[]>;
  close(): Promise<void>;
}

export const LEASE_MS = 60_000;
export const NS = "default";
/** What a page of history may hold when its size does not matter. */
export const MOST_BYTES = LIMITS.historyBytes;

export function newRun(facts: Partial<NewRun["facts"]> = {}, rest: Partial<Omit<NewRun, "facts">> = {}): NewRun {
  return {
    facts: {
      ns: NS,
      id: newId("run"),
      workflow: "checkout",
      version: "1.0.0",
      input: { cents: 999 },
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
      ...facts,
    },
    requestHash: "hash",
    conflictPolicy: "error",
    trigger: undefined,
    ...rest,
  };
}

/** Every minute, and due since 1970. */
export function newSchedule(changes: Partial<NewSchedule> = {}): NewSchedule {
  const id = newId("sch");
  return {
    ns: NS,
    id,
    reference: undefined,
    identity: id,
    contentHash: "contents",
    workflow: "report",
    version: "1.0.0",
    input: { team: "ops" },
    retry: undefined,
    timeoutMs: undefined,
    pool: undefined,
    requestHash: "hash",
    recurrence: { type: "interval", everyMs: 60_000 },
    overlapPolicy: "allow",
    catchUp: "one",
    anchorAt: 1_000,
    nextAt: 1_000 + 60_000,
    updates: true,
    ...changes,
  };
}

export function newChild(parent: LoadedRun, key: string, facts: Partial<NewChild["facts"]> = {}): NewChild {
  return {
    facts: { ...newRun().facts, workflow: "courier", ...facts, parent: { id: parent.facts.id, key } },
    requestHash: "hash",
    delayMs: undefined,
  };
}

/** A run that this store holds, new and leased. */
export async function hold(store: Store, run: NewRun = newRun()): Promise<LoadedRun> {
  const outcome = await store.start(run, LEASE_MS);
  if (outcome.type !== "created" || !outcome.held) throw new Error(`The run was not started: ${outcome.type}`);
  return outcome.held;
}

export function message(
  run: LoadedRun,
  body: MessageBody = event("delivered"),
  eventId: string = newId("msg"),
): NewMessage {
  return { ns: run.facts.ns, runId: run.facts.id, eventId, body };
}

export function event(name: string, data: Extract<MessageBody, { kind: "event" }>["data"] = null): MessageBody {
  return { kind: "event", name, data };
}

/** A commit that changes nothing but what is given, after which the holder goes on. */
export function transition(run: LoadedRun, changes: Partial<Commit> = {}): Commit {
  return {
    ns: run.facts.ns,
    runId: run.facts.id,
    fence: run.fence,
    commitId: newId("push"),
    seen: run.seen,
    queued: run.queued.map(({ n }) => n),
    paused: run.paused,
    startAt: run.startAt,
    records: [],
    trouble: undefined,
    children: [],
    messages: [],
    next: { type: "keep" },
    ...changes,
  };
}

export const END = {
  type: "end",
  status: "completed",
  output: undefined,
  error: undefined,
  failedTask: undefined,
  reason: undefined,
} as const;

export function park(
  status: Extract<Commit["next"], { type: "park" }>["status"],
  dueAt: number | null = null,
): Commit["next"] {
  return { type: "park", status, dueAt };
}

/** The record that gives a suspended run without a timer its reason to wait. */
export function waiting(n: number, name = "delivered"): HistoryRecord {
  return { n, kind: "event", key: `event:${name}#0`, value: { state: "waiting" } };
}

export function taskDone(n: number, name = "charge", output: string | number = n): HistoryRecord {
  return { n, kind: "task", key: `task:${name}:abc#${n}`, value: { state: "completed", attempts: 1, output } };
}

/** Commits, and gives the run as its holder has it afterwards. */
export async function commit(store: Store, run: LoadedRun, changes: Partial<Commit> = {}): Promise<LoadedRun> {
  const done = transition(run, changes);
  const outcome = await store.commit(done, LEASE_MS);
  if (outcome.type !== "committed") throw new Error(`The commit was ${outcome.type}.`);
  return {
    ...run,
    fence: { ...run.fence, seq: run.fence.seq + 1 },
    seen: done.seen,
    records: [...run.records, ...done.records],
  };
}

/** Parks a run until it gets an event. */
export async function suspend(store: Store, run: LoadedRun): Promise<LoadedRun> {
  return commit(store, run, { records: [waiting(run.records.length + 1)], next: park("suspended") });
}

export async function end(store: Store, run: LoadedRun, changes: Partial<Commit> = {}): Promise<CommitOutcome> {
  return store.commit(transition(run, { next: END, ...changes }), LEASE_MS);
}

export async function claimAll(store: Store): Promise<LoadedRun[]> {
  return store.claim({ limit: 1_000, leaseMs: LEASE_MS });
}

/** The instant of the database, no later than it is there. */
export function databaseNow(store: Store): number {
  return store.now().earliest;
}

export function pick<T>(from: readonly T[], i: number): T {
  return from[i % from.length] as T;
}
