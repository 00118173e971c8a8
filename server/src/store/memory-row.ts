/** One run in the memory store: the actor row, its cold row, mailbox and records together. */
import type { Fence, HistoryRecord, JsonValue, RunStatus, TerminalStatus, WireError } from "@aikirun/protocol";
import { runAttemptOf } from "@aikirun/protocol/canonical";
import { RUN_KEY } from "../core/draft.js";
import type { LoadedRun, Mail, MessageBody, RunFacts, Trouble } from "../core/run.js";
import { statusAfter } from "../core/status.js";
import type { Unserved } from "./port.js";

export interface Row {
  readonly facts: RunFacts;
  readonly requestHash: string;
  /** The schedule that started it. */
  schedule: string | undefined;
  /** `createdAt` order with ties broken by insertion: newest-first listing. */
  readonly serial: number;
  status: RunStatus;
  epoch: number;
  gen: number;
  seq: number;
  leaseUntil: number | null;
  hold: "callback" | null;
  dueAt: number | null;
  mailSeq: number;
  seen: number;
  ctlN: number;
  cancelN: number;
  paused: boolean;
  startAt: number | null;
  tries: number;
  lastCommit: string | undefined;
  trouble: Trouble | undefined;
  queued: readonly number[];
  readonly mail: Mail[];
  readonly eventIds: Set<string>;
  readonly records: HistoryRecord[];
  /** Instant and generation of each record's commit, by position. */
  readonly recordedAt: number[];
  readonly recordGen: number[];
  end: End | undefined;
}

export interface End {
  readonly status: TerminalStatus;
  readonly output: JsonValue | undefined;
  readonly error: WireError | undefined;
  readonly failedTask: string | undefined;
  readonly reason: string | undefined;
  readonly endedAt: number;
}

export function newRow(facts: RunFacts, requestHash: string, serial: number, epoch: number, dueAt: number): Row {
  return {
    facts,
    requestHash,
    schedule: undefined,
    serial,
    status: statusAfter("none", dueAt > facts.createdAt ? "schedule" : "enqueue"),
    epoch,
    gen: 0,
    seq: 0,
    leaseUntil: null,
    hold: null,
    dueAt,
    mailSeq: 0,
    seen: 0,
    ctlN: 0,
    cancelN: 0,
    paused: false,
    startAt: dueAt > facts.createdAt ? dueAt : null,
    tries: 0,
    lastCommit: undefined,
    trouble: undefined,
    queued: [],
    mail: [],
    eventIds: new Set(),
    records: [],
    recordedAt: [],
    recordGen: [],
    end: undefined,
  };
}

export function isLive(row: Row): boolean {
  return row.end === undefined;
}

/** Live, due, and held by nobody; or held only for a callback while a cancel waits. */
export function isClaimable(row: Row, now: number): boolean {
  if (!isLive(row) || row.dueAt === null || row.dueAt > now) return false;
  return row.leaseUntil === null || row.leaseUntil < now || (row.hold === "callback" && row.cancelN > row.seen);
}

/** Parked because nobody served it. */
export function isUnserved({ status, leaseUntil, trouble }: Row): boolean {
  return status === "queued" && leaseUntil === null && trouble?.code === "WORKFLOW_NOT_SERVED";
}

/** The same, and one of those that are wanted now. */
export function waitsFor(row: Row, { ns, wanted }: Unserved): boolean {
  const { workflow, version, pool } = row.facts;
  if (row.facts.ns !== ns || !isUnserved(row)) return false;
  return wanted.some((one) => one.workflow === workflow && one.version === version && one.pool === pool);
}

/** A new generation with a lease: what claiming and a start that is inserted leased have in common. */
export function takeLease(row: Row, epoch: number, leaseUntil: number): void {
  row.epoch = epoch;
  row.gen += 1;
  row.tries += 1;
  row.leaseUntil = leaseUntil;
  row.hold = null;
  row.status = statusAfter(row.status, "claim");
}

export function holdsFence(row: Row, fence: Fence): boolean {
  return (
    isLive(row) &&
    row.epoch === fence.epoch &&
    row.gen === fence.gen &&
    row.seq === fence.seq &&
    row.leaseUntil !== null
  );
}

const CONTROL: ReadonlySet<MessageBody["kind"]> = new Set(["cancel", "pause", "resume"]);

/** The row's own counter numbers the message, and the message makes the row due. */
export function receive(row: Row, eventId: string, body: MessageBody, now: number): number {
  const n = row.mailSeq + 1;
  row.mailSeq = n;
  row.mail.push({ n, acceptedAt: now, body });
  row.eventIds.add(eventId);
  if (isLive(row)) row.dueAt = row.dueAt === null ? now : Math.min(row.dueAt, now);
  if (CONTROL.has(body.kind)) row.ctlN = n;
  if (body.kind === "cancel") row.cancelN = n;
  return n;
}

/** Opens a failed run again. Its history, its mail and the place to which it had read it go on. */
export function reopen(row: Row, epoch: number, eventId: string, now: number): void {
  row.end = undefined;
  row.status = statusAfter(row.status, "retry");
  row.epoch = epoch;
  row.gen += 1;
  row.seq = 0;
  row.paused = false;
  row.startAt = null;
  row.tries = 0;
  row.lastCommit = undefined;
  row.trouble = undefined;
  receive(row, eventId, { kind: "retry" }, now);
  const value = { state: "retried" as const, runAttempt: runAttemptOf(row.records) + 1, reopenedAt: now };
  row.records.push({ n: row.records.length + 1, kind: "run", key: RUN_KEY, value });
  row.recordedAt.push(now);
  row.recordGen.push(row.gen);
}

export function mailAfter(row: Row, after: number): Mail[] {
  // Numbers have no gaps, so that a message's place is its number.
  return row.mail.slice(after);
}

/** `status` is the one before a claim. */
export function toLoaded(row: Row, status: RunStatus = row.status): LoadedRun {
  return {
    facts: row.facts,
    fence: { epoch: row.epoch, gen: row.gen, seq: row.seq },
    status,
    paused: row.paused,
    startAt: row.startAt ?? undefined,
    tries: row.tries,
    trouble: row.trouble,
    hold: row.leaseUntil === null ? undefined : (row.hold ?? "push"),
    seen: row.seen,
    queued: row.queued.map((n) => row.mail[n - 1] as Mail),
    mail: mailAfter(row, row.seen),
    records: row.records.slice(),
  };
}
