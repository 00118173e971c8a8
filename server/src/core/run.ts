/** What the core knows of a run. Everything here is data; `decide.ts` is the only place that makes decisions. */
import type {
  Divergence,
  Fence,
  HistoryRecord,
  JsonValue,
  RetryPolicy,
  RunStatus,
  TerminalStatus,
  WireError,
} from "@aikirun/protocol";

/** What never changes about a run. Kept on its cold row. */
export interface RunFacts {
  readonly ns: string;
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: JsonValue | undefined;
  readonly createdAt: number;
  /** What its time limit counts from: its creation, or when it was to start. Somebody may wake it before (`woken`). */
  readonly timedFrom: number;
  readonly reference: string | undefined;
  readonly retry: RetryPolicy | undefined;
  /** The time limit that it was started with; its version's own is in its history. */
  readonly timeoutMs: number | undefined;
  readonly pool: string | undefined;
  /** The run that started this one as a child, and the key of the child's entry there. */
  readonly parent: { readonly id: string; readonly key: string } | undefined;
}

/** A message in a run's mailbox: appended by anybody, read only by the holder of the lease. */
export type MessageBody =
  | { readonly kind: "event"; readonly name: string; readonly data: JsonValue | undefined }
  | { readonly kind: "cancel"; readonly reason: string | undefined }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "wakeup" }
  | { readonly kind: "requeue" }
  | { readonly kind: "retry" }
  | {
      readonly kind: "child";
      /** The key of the child's entry in this run. */
      readonly key: string;
      readonly status: TerminalStatus;
      readonly output: JsonValue | undefined;
      readonly error: WireError | undefined;
    };

export interface Mail {
  /** The run's own count, from 1 without gaps. */
  readonly n: number;
  readonly acceptedAt: number;
  readonly body: MessageBody;
}

/** An event that was read and that nobody has received. */
export type QueuedMail = Omit<Mail, "acceptedAt">;

export interface NewMessage {
  readonly ns: string;
  readonly runId: string;
  /** Unique per run: the same id again is the same message. */
  readonly eventId: string;
  readonly body: MessageBody;
}

/** Why the last delivery failed, or why the run is stalled: what a person reads at night. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly at: number;
  /** Failed deliveries in a row. */
  readonly deliveries: number;
  /** When the first of them failed. */
  readonly since?: number;
  /** How many of them were lost after the request was sent. */
  readonly lost?: number;
  /** How many of the last ones in a row ended with the host's time. */
  readonly timeouts?: number;
  readonly divergence?: Divergence;
}

/** A run as the holder of its lease reads it. */
export interface LoadedRun {
  readonly facts: RunFacts;
  readonly fence: Fence;
  /**
   * What it was before this claim. `suspended`: parked by a `waiting` answer, so that without news nothing is to be
   * pushed. A scheduled, paused or stalled run keeps that status while it is claimed; any other becomes `running`.
   */
  readonly status: RunStatus;
  readonly paused: boolean;
  /** Not to be pushed before this instant, unless somebody wakes it; undefined once it has begun. Not `timedFrom`. */
  readonly startAt: number | undefined;
  /** Claims and re-pushes since the last new record or park. */
  readonly tries: number;
  readonly trouble: Trouble | undefined;
  /** What its lease is for: whoever waits for a push, or whoever brings the answer to one later. Undefined: nobody has one. */
  readonly hold: "push" | "callback" | undefined;
  /** Highest message that a commit has read. */
  readonly seen: number;
  /** Events that were read and wait to be received, oldest first. */
  readonly queued: readonly QueuedMail[];
  /** Messages above `seen`, in order. */
  readonly mail: readonly Mail[];
  /** The whole history, `n` = 1, 2, 3, … */
  readonly records: readonly HistoryRecord[];
}

/** A run that a client, a schedule or a parent asks for. */
export interface NewRun {
  readonly facts: Omit<RunFacts, "createdAt" | "timedFrom">;
  /** Tells a repeated request from another one with the same id or reference: hash of workflow, version, input. */
  readonly requestHash: string;
  readonly conflictPolicy: "error" | "return_existing";
  /** Not before this much later (by the database's clock), or not before that instant. */
  readonly trigger: { readonly delayMs: number } | { readonly at: number } | undefined;
}

/** How a run goes on after a commit. */
export type Next =
  /**
   * The lease is extended and the run stays in the holder's memory. One for a callback stays one, and is never shortened:
   * it ends at the callback's deadline. With `retakes` the callback has come, and it is the committer's own again.
   */
  | { readonly type: "keep"; readonly retakes?: boolean }
  /** The lease is let go. `dueAt` is the earliest open timer; null when only a message can wake the run. */
  | {
      readonly type: "park";
      readonly status: Extract<RunStatus, "scheduled" | "queued" | "suspended" | "paused" | "stalled">;
      readonly dueAt: number | null;
    }
  | {
      readonly type: "end";
      readonly status: TerminalStatus;
      readonly output: JsonValue | undefined;
      readonly error: WireError | undefined;
      readonly failedTask: string | undefined;
      readonly reason: string | undefined;
    };

/** One transition: everything that one statement writes under one fence. */
export interface Commit {
  readonly ns: string;
  readonly runId: string;
  /** What the row must still say. The commit raises `seq` by one. */
  readonly fence: Fence;
  /** Unique per commit, kept as `last_commit`, so that a lost acknowledgement can be resolved. */
  readonly commitId: string;
  /** Highest message read. */
  readonly seen: number;
  /** Numbers of the event messages read and not received yet, oldest first. */
  readonly queued: readonly number[];
  readonly paused: boolean;
  /** `undefined` clears it: the run has begun. */
  readonly startAt: number | undefined;
  readonly records: readonly HistoryRecord[];
  /** `undefined` clears it. */
  readonly trouble: Trouble | undefined;
  readonly children: readonly NewChild[];
  readonly messages: readonly NewMessage[];
  readonly next: Next;
}

/**
 * A child run, inserted by its parent's commit; due at once or after its delay. Its id is derived from its parent's id
 * and its key (`childRunId`), so that there is one per (parent, key): an insert that finds it already there is no error.
 */
export interface NewChild {
  readonly facts: Omit<RunFacts, "createdAt" | "timedFrom">;
  readonly requestHash: string;
  readonly delayMs: number | undefined;
}
