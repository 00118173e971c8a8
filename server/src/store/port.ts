/**
 * The store: what the orchestrator asks of a database, in its own verbs. Each verb is one statement and carries its
 * fence in its signature. Whoever does not hold a run's lease can only `append`. Implemented by `postgres/` and
 * `memory.ts`, both held to `conformance.ts`. Implementations may merge calls that arrive together.
 *
 * Throws `StoreUnavailable` when the outcome is unknown or the database is away; anything else is a bug.
 */
import type { Endpoint, HistoryRecord, Manifest, Run, RunStatus, RunSummary } from "@aikirun/protocol";
import type { Durations } from "../core/buckets.js";
import type { Instant } from "../core/clock.js";
import type { Commit, LoadedRun, Mail, MessageBody, NewMessage, NewRun, NotedPush, RunFacts } from "../core/run.js";
import type { Firing, ScheduleState } from "../core/schedule.js";

export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

export interface Store extends RunStore, RunQueries, PushStore, StatsStore, ScheduleStore, Registry, KeyStore {
  /** Lets connections go after what is under way has ended. */
  close(): Promise<void>;
}

export type StartOutcome =
  /** `held` when it was inserted leased to the caller. */
  | { readonly type: "created"; readonly run: RunSummary; readonly held: LoadedRun | undefined }
  | { readonly type: "existing"; readonly run: RunSummary }
  /** The reference belongs to a run with other workflow input. */
  | { readonly type: "reference_conflict"; readonly run: RunSummary }
  /** The id belongs to another request. */
  | { readonly type: "id_conflict" };

export type AppendOutcome =
  /** `held` when nobody held the run, so that it is now leased to the caller. */
  | { readonly type: "appended"; readonly n: number; readonly held?: LoadedRun }
  | { readonly type: "duplicate" }
  | { readonly type: "ended"; readonly status: RunStatus }
  | { readonly type: "unknown" }
  | { readonly type: "too_many_queued" };

export interface AppendWhereOutcome {
  /** The runs that got the message. */
  readonly runIds: readonly string[];
  /** How many had it already. */
  readonly duplicates: number;
  /** Where the next call goes on; undefined when no run is left. */
  readonly cursor: string | undefined;
}

export type CommitOutcome =
  /** `mailSeq > seen`: there is mail to read. */
  | { readonly type: "committed"; readonly mailSeq: number }
  /** Another generation or another sequence: nothing was written. */
  | { readonly type: "fenced" }
  /** A terminal commit, refused: a control message was not read. Nothing was written. */
  | { readonly type: "unread" };

export type RetryOutcome =
  | { readonly type: "retried" }
  /** This request has been carried out before, whatever became of the run since. */
  | { readonly type: "duplicate" }
  | { readonly type: "not_failed"; readonly status: RunStatus }
  | { readonly type: "unknown" };

/** Runs that were parked because nobody served them. `pool` undefined: those that name none. */
export interface Unserved {
  readonly ns: string;
  readonly wanted: readonly {
    readonly workflow: string;
    readonly version: string;
    readonly pool: string | undefined;
  }[];
}

export interface RunStore {
  /** The database's clock, from the newest answer. */
  now(): Instant;

  /** Inserts a run. With `leaseMs`, already leased to the caller under generation 1. One statement. */
  start(run: NewRun, leaseMs: number | undefined): Promise<StartOutcome>;

  /**
   * Appends to a mailbox and makes the run due. `maxQueued` bounds unread plus queued messages. With `leaseMs` a suspended
   * run may come back leased to the caller, as `claim` leases it, in the same statement: an implementation does it where
   * that costs nothing.
   */
  append(message: NewMessage, maxQueued: number, leaseMs?: number): Promise<AppendOutcome>;

  /**
   * Appends one control message to the live runs of a filter, newest first, at most `limit` and below `cursor`, each as
   * `append` does. A run that is not of the filter's status any more gets nothing. One statement.
   */
  appendWhere(
    where: {
      readonly ns: string;
      readonly filter: RunFilter;
      readonly cursor: string | undefined;
      readonly limit: number;
    },
    message: { readonly eventId: string; readonly body: ControlBody },
  ): Promise<AppendWhereOutcome>;

  /**
   * Leases up to `limit` due runs that nobody holds (or that are held only for a callback while a cancel waits):
   * gen + 1, tries + 1, status `running` unless it is scheduled, paused or stalled. Then reads them: the mail is read by the
   * next statement. The `status` returned is the one before the claim. With `unserved` only such runs, due or not, oldest
   * first. With `only` that run alone.
   */
  claim(options: {
    readonly limit: number;
    readonly leaseMs: number;
    readonly unserved?: Unserved;
    readonly only?: { readonly ns: string; readonly runId: string };
  }): Promise<LoadedRun[]>;

  /** Up to `limit` runs that `claim` would take, longest due first. Takes none. */
  dueRuns(limit: number): Promise<{ readonly ns: string; readonly runId: string }[]>;

  /**
   * When `claim` would take this run without any news: at its timer, or at the end of its lease. Null: only a message
   * wakes it. Undefined: it has ended or is unknown.
   */
  wakesAt(ns: string, runId: string): Promise<number | null | undefined>;

  /** Reads one run again, whoever holds it. Undefined when it has ended or is unknown. */
  load(ns: string, runId: string): Promise<LoadedRun | undefined>;

  /** Messages above `after`, in order. */
  readMail(ns: string, runId: string, after: number): Promise<Mail[]>;

  /**
   * One transition under one fence. `leaseMs` is for `keep`, which also sets the status `running` and leaves what the
   * lease is for. New records reset `tries`, and so does a park: the holder came to a decision, and failed deliveries are
   * counted in `trouble`. A message to a run that has ended is dropped, but for a child's end: its parent reads it when
   * it is retried.
   */
  commit(commit: Commit, leaseMs: number): Promise<CommitOutcome>;

  /** Whether `commitId` is the last commit of the run; decides a commit whose acknowledgement was lost. */
  lastCommit(
    ns: string,
    runId: string,
  ): Promise<{ readonly gen: number; readonly commitId: string | undefined } | undefined>;

  /** Extends the lease of one generation. Undefined: it is no longer ours. */
  extend(
    ns: string,
    runId: string,
    gen: number,
    leaseMs: number,
  ): Promise<{ readonly cancelRequested: boolean } | undefined>;

  /**
   * Turns the lease of one generation into one for a callback: the run may be far from any process's memory, so that a
   * claim takes it over as soon as a cancel waits. False: it is no longer ours.
   */
  holdForCallback(ns: string, runId: string, gen: number, leaseMs: number): Promise<boolean>;

  /** A new generation for the holder of `gen`, after an unknown outcome: gen + 1, tries + 1, lease. */
  bump(
    ns: string,
    runId: string,
    gen: number,
    leaseMs: number,
  ): Promise<
    { readonly gen: number; readonly seq: number; readonly tries: number; readonly mailSeq: number } | undefined
  >;

  /**
   * Opens a failed run again: a `retried` record, a generation above the one that ended it, due now. What came for it
   * meanwhile, and what it had not read, is unread mail. `eventId` tells a repeated request from another.
   */
  retry(ns: string, runId: string, eventId: string): Promise<RetryOutcome>;

  /** Lets a lease go without a decision: the run is due now. For shutdown. */
  release(ns: string, runId: string, gen: number): Promise<void>;

  /** Makes runs due that wait for an endpoint of these versions: those that name no pool. Returns how many. */
  wakeUnserved(
    ns: string,
    versions: readonly { readonly workflow: string; readonly version: string }[],
  ): Promise<number>;

  /** The earliest `due_at` in the future among runs that nobody holds, to sleep until. */
  nextDueAt(): Promise<number | undefined>;
}

/** A push that is over, with what became of it. */
export type KeptPush = Omit<NotedPush, "ns" | "runId">;

export interface PushStore {
  /** Remembers pushes that no commit has. Of each run the last `LIMITS.keptPushes`; one that is known is left as it is. */
  notePushes(pushes: readonly NotedPush[]): Promise<void>;
  /** The last of a run, newest first, with those that its commits remember. */
  listPushes(ns: string, runId: string): Promise<KeptPush[]>;
}

/** What was counted in one namespace within one minute. */
export interface Minute {
  readonly ns: string;
  /** When the minute begins. */
  readonly at: number;
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly pushesFailed: number;
  readonly pushed: Durations;
  /** From when runs were due until they were first pushed. */
  readonly starts: Durations;
  /** The most that were due and in nobody's hands. */
  readonly backlog: number;
}

export interface EndpointMinute extends Pick<Minute, "ns" | "at" | "pushesFailed" | "pushed"> {
  readonly endpointId: string;
}

/** From `from` up to, and without, `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface StatsStore {
  /** Adds to what others counted in the same minutes, and forgets minutes older than `LIMITS.statsKeptMs`. */
  addMinutes(minutes: readonly Minute[], endpoints: readonly EndpointMinute[]): Promise<void>;
  /** Added up over steps; `at` is where a step begins. Steps without anything are left out. */
  readMinutes(ns: string, span: Span, stepMs: number): Promise<Minute[]>;
  readEndpointMinutes(ns: string, endpointId: string, span: Span, stepMs: number): Promise<EndpointMinute[]>;
  /** Each endpoint's over the whole span, the busiest first. `at` is `span.from`. */
  busiestEndpoints(ns: string, span: Span, limit: number): Promise<EndpointMinute[]>;
  /** Runs that are due and in nobody's hands, by namespace; `most` are counted. Namespaces without any are left out. */
  countDue(most: number): Promise<{ readonly ns: string; readonly due: number }[]>;
}

/** What a person says to a run. */
export type ControlBody = Extract<MessageBody, { readonly kind: "cancel" | "pause" | "resume" | "wakeup" | "requeue" }>;

export interface RunFilter {
  readonly status?: readonly RunStatus[];
  readonly workflow?: string;
  readonly version?: string;
  /** Of runs that were started from outside; with `parent`, of its children. */
  readonly reference?: string;
  readonly parent?: string;
  readonly schedule?: string;
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  /** How the id begins, with or without `run_`, or the reference. For lists only. */
  readonly q?: string;
}

export interface RunList {
  readonly runs: readonly RunSummary[];
  /** The cursor of the next page; undefined: there is none. */
  readonly next: string | undefined;
}

export interface HistoryPart {
  /** Each with the instant of its commit. */
  readonly records: readonly (HistoryRecord & { readonly at: number })[];
  readonly more: boolean;
}

/** A run in flight, and how large its history is. */
export interface SampledRun {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly records: number;
  /** About as many bytes as its input and history take in a push; undefined: too many records to add up. */
  readonly bytes: number | undefined;
}

export interface RunQueries {
  getRun(ns: string, runId: string): Promise<Run | undefined>;
  /** By workflow, version and reference id. */
  findByReference(ns: string, workflow: string, version: string, reference: string): Promise<RunSummary | undefined>;
  /** Of runs that exist, ended ones too, which version each is pinned to. */
  versionsOf(
    ns: string,
    runIds: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly workflow: string; readonly version: string }>>;
  /**
   * Newest first, below `cursor`. A page is looked for among a bounded number of runs: it may hold fewer than `limit`, and
   * lead to a `next` all the same.
   */
  listRuns(ns: string, filter: RunFilter, cursor: string | undefined, limit: number): Promise<RunList>;
  /**
   * Records after `after`: at most `limit`, and no further one once they have `maxBytes` of values. Undefined: no such run.
   */
  readHistory(
    ns: string,
    runId: string,
    after: number,
    limit: number,
    maxBytes: number,
  ): Promise<HistoryPart | undefined>;
  /** Runs that have not ended, per workflow and version. */
  countLive(ns: string): Promise<{ workflow: string; version: string; live: number }[]>;
  /** Every status, with its runs counted up to `most`. */
  countByStatus(
    ns: string,
    most: number,
  ): Promise<{ readonly status: RunStatus; readonly count: number; readonly more: boolean }[]>;
  /** Runs that wait because nobody serves their version: up to `most` of them are counted, oldest first. */
  countUnserved(ns: string, most: number): Promise<{ workflow: string; version: string; waiting: number }[]>;
  /**
   * Up to `limit` runs of these versions that have not ended and that a commit has reached: versions take turns, and
   * each gives runs spread evenly from its oldest to its newest. At most 1,024 of one version.
   */
  sampleLive(
    ns: string,
    versions: readonly { readonly workflow: string; readonly version: string }[],
    limit: number,
  ): Promise<SampledRun[]>;
  /** What never changes about a run. Undefined: no such run. */
  readFacts(ns: string, runId: string): Promise<RunFacts | undefined>;
}

/** What an activation says of a schedule. */
export interface ScheduleContents
  extends Pick<RunFacts, "workflow" | "version" | "input" | "retry" | "timeoutMs" | "pool">,
    Pick<ScheduleState, "ns" | "id" | "recurrence" | "overlapPolicy" | "catchUp"> {
  readonly reference: string | undefined;
  /** Of its runs, as `NewRun.requestHash`. */
  readonly requestHash: string;
  /** Which schedule is meant: one for each identity in a namespace. */
  readonly identity: string;
  /** Tells a repeated activation from one that changes something. */
  readonly contentHash: string;
}

export interface NewSchedule extends ScheduleContents {
  /** For a schedule that is new or gets another recurrence. */
  readonly anchorAt: number;
  readonly nextAt: number | undefined;
  /** Whether a schedule of this identity with other contents gets these. */
  readonly updates: boolean;
}

export interface StoredSchedule extends ScheduleContents, ScheduleState {
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When it last started a run. */
  readonly lastAt: number | undefined;
  readonly started: number;
  readonly skipped: number;
}

export type ActivateOutcome =
  /** `unchanged`, too, when the contents differ and were not to be updated. */
  | { readonly type: "created" | "updated" | "unchanged"; readonly schedule: StoredSchedule }
  | { readonly type: "too_many" };

export interface ScheduleFilter {
  readonly workflow?: string;
  readonly version?: string;
  readonly reference?: string;
  readonly status?: "active" | "paused";
}

/** Where the last page of `upcomingSchedules` ended. */
export type UpcomingCursor = Pick<ScheduleState, "ns" | "id"> & { readonly nextAt: number };

export interface ScheduleStore {
  /**
   * Inserts a schedule, or finds the one of its identity and, when asked to, gives it these contents. A schedule that
   * is paused stays so; one whose recurrence does not change keeps its next instant. `max` bounds those of a namespace.
   */
  activate(schedule: NewSchedule, max: number): Promise<ActivateOutcome>;
  getSchedule(ns: string, id: string): Promise<StoredSchedule | undefined>;
  /** Newest first; `cursor` is the last id of the page before. */
  listSchedules(
    ns: string,
    filter: ScheduleFilter,
    cursor: string | undefined,
    limit: number,
  ): Promise<StoredSchedule[]>;
  /** Its runs stay. */
  deleteSchedule(ns: string, id: string): Promise<boolean>;
  /** Pauses it (`nextAt` undefined) or lets it go on. False: `seq` is not the row's, and nothing was changed. */
  retimeSchedule(ns: string, id: string, seq: number, nextAt: number | undefined): Promise<boolean>;
  /** Of all namespaces, those that are not paused, in the order in which they come due. */
  upcomingSchedules(after: UpcomingCursor | undefined, limit: number): Promise<ScheduleState[]>;
  /**
   * One fire under the schedule's fence: starts its runs, due now, and sends a cancel to the run before. False: `seq` is
   * not the row's, or the time has not come, and nothing was changed. Run ids that exist already start nothing.
   */
  fire(firing: Firing): Promise<boolean>;
}

/** An endpoint as it is stored: with its secret headers, encrypted by the caller. */
export interface StoredEndpoint {
  readonly ns: string;
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly status: Endpoint["status"];
  readonly headerNames: readonly string[];
  /** AES-GCM text of the header values; the store never sees them in clear. */
  readonly sealedHeaders: string | undefined;
  readonly manifest: Manifest;
  readonly manifestHash: string;
  readonly maxDurationMs: number | undefined;
  readonly concurrency: number;
  readonly contentType: string;
  readonly signatureHeader: string;
  readonly createdAt: number;
  readonly describedAt: number;
  readonly trouble: { readonly code: string; readonly message: string; readonly at: number } | undefined;
}

export type SaveEndpointOutcome =
  | { readonly type: "saved" }
  /** Another endpoint already serves one of its versions. */
  | {
      readonly type: "version_owned";
      readonly by: string;
      readonly url: string;
      readonly workflow: string;
      readonly version: string;
    };

export interface Registry {
  /** Inserts or replaces the endpoint of this name, and with it who owns each version. One transaction. */
  saveEndpoint(endpoint: StoredEndpoint, takeOver: boolean): Promise<SaveEndpointOutcome>;
  /** Records health after a `describe`, without touching anything else. */
  markEndpoint(ns: string, id: string, status: Endpoint["status"], trouble: StoredEndpoint["trouble"]): Promise<void>;
  /** Every endpoint, with the versions that it owns now. */
  listEndpoints(
    ns?: string,
  ): Promise<(StoredEndpoint & { readonly owns: readonly { workflow: string; version: string }[] })[]>;
  removeEndpoint(ns: string, id: string): Promise<boolean>;
}

export interface StoredKey {
  readonly id: string;
  readonly ns: string;
  readonly name: string | undefined;
  readonly scope: "read" | "write" | "admin";
  /** Hex SHA-256 of the secret. */
  readonly hash: string;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
}

/** A key that signs pushes. The private half is sealed by the caller. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly alg: "Ed25519" | "ES256";
  readonly publicJwk: Record<string, unknown>;
  readonly sealedPrivate: string;
  /** `next` is published, `current` signs, `retired` still verifies. */
  readonly state: "next" | "current" | "retired";
  readonly createdAt: number;
}

export interface KeyStore {
  /** Makes the namespace when it is absent. */
  createKey(key: StoredKey): Promise<void>;
  findKey(hash: string): Promise<StoredKey | undefined>;
  listKeys(ns: string | undefined): Promise<StoredKey[]>;
  revokeKey(ns: string | undefined, id: string): Promise<boolean>;
  /** Whether any usable key exists: `aiki start` refuses to run open. */
  hasKeys(): Promise<boolean>;
  listSigningKeys(): Promise<StoredSigningKey[]>;
  /** Inserts a key unless one of its state (`current`, `next`) is there already; returns what is stored now. */
  addSigningKey(key: StoredSigningKey): Promise<StoredSigningKey[]>;
  setSigningKeyState(kid: string, state: StoredSigningKey["state"]): Promise<void>;
  removeSigningKey(kid: string): Promise<void>;
  /** The cluster's epoch: part of every fence and token, raised after a restore. */
  epoch(): Promise<number>;
  /** For `/ready`. */
  ping(): Promise<void>;
}
