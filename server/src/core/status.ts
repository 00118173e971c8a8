/** The states of a run and the ways between them: a table, so that every cell can be tested. */
import type { RunStatus } from "@aikirun/protocol";
import type { Next } from "./run.js";

/** Why a run changes its status. Each is one verb of the store or one kind of commit. */
export type Reason =
  | "start" // inserted, leased to whoever inserted it
  | "enqueue" // inserted due now, for anybody to claim
  | "schedule" // inserted with a later due time, or parked until then
  | "claim"
  | "release" // given back by its holder without a decision
  | "keep" // a commit after which the holder goes on
  | "suspend" // parked by a `waiting` answer
  | "unserved" // parked until its endpoint answers or is registered
  | "pause"
  | "stall"
  | "complete"
  | "fail"
  | "cancel"
  | "retry"; // by somebody, after it had failed

/**
 * `TRANSITIONS[from][reason]` is the status that follows; an absent cell cannot happen. `none` is before the run exists.
 * A scheduled, paused or stalled run keeps its status while it is claimed, so that a crash of the holder does not wake
 * it.
 */
export const TRANSITIONS: Readonly<Record<RunStatus | "none", Readonly<Partial<Record<Reason, RunStatus>>>>> = {
  none: { start: "running", enqueue: "queued", schedule: "scheduled" },
  scheduled: {
    schedule: "scheduled",
    claim: "scheduled",
    release: "scheduled",
    keep: "running",
    pause: "paused",
    fail: "failed", // its time was over when it was taken
    cancel: "cancelled",
  },
  queued: { claim: "running" },
  suspended: { claim: "running" },
  running: {
    claim: "running",
    release: "queued",
    keep: "running",
    suspend: "suspended",
    unserved: "queued",
    pause: "paused",
    stall: "stalled",
    complete: "completed",
    fail: "failed",
    cancel: "cancelled",
  },
  paused: {
    schedule: "scheduled",
    claim: "paused",
    release: "paused",
    keep: "running",
    suspend: "suspended",
    pause: "paused",
    stall: "stalled",
    fail: "failed", // its time was over when somebody let it go on
    cancel: "cancelled",
  },
  stalled: {
    claim: "stalled",
    release: "stalled",
    keep: "running",
    suspend: "suspended",
    pause: "paused",
    stall: "stalled",
    fail: "failed", // its time was over when somebody let it go on
    cancel: "cancelled",
  },
  completed: {},
  failed: { retry: "queued" },
  cancelled: {},
};

/** The status that follows. Throws for a way that the table does not have: that is a bug, never an input's fault. */
export function statusAfter(from: RunStatus | "none", reason: Reason): RunStatus {
  const status = TRANSITIONS[from][reason];
  if (status === undefined) throw new Error(`a run that is ${from} cannot ${reason}`);
  return status;
}

/** Why a commit changes the status. */
export function reasonOf(next: Next): Reason {
  return next.type === "keep" ? "keep" : REASONS[next.status];
}

const REASONS = {
  scheduled: "schedule",
  queued: "unserved",
  suspended: "suspend",
  paused: "pause",
  stalled: "stall",
  completed: "complete",
  failed: "fail",
  cancelled: "cancel",
} as const;
