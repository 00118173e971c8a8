/**
 * The design's invariants, checked after every statement on the rows themselves. Each row is compared with what it was
 * after the statement before.
 */
import type { HistoryRecord, RunEntryState } from "@aikirun/protocol";
import { hiddenByRetry, sha256Hex } from "@aikirun/protocol/canonical";
import { dueAtOf, isOpen } from "../src/core/state.js";
import type { Row } from "../src/store/memory-row.js";
import type { Ledger } from "./ledger.js";
import { Violation } from "./violation.js";
import { VERSION_TIMEOUT_MS } from "./workflows.js";

interface Before {
  gen: number;
  seq: number;
  status: Row["status"];
  startAt: number | null;
  records: number;
  claims: number;
  ended: boolean;
  mail: number;
  readonly eventData: Set<unknown>;
  eventsRead: number;
  seen: number;
  delivered: Set<number>;
  readonly entries: Map<string, HistoryRecord>;
  /** Keys of children that have told the run of their end. */
  readonly told: Set<string>;
  runAttempt: number;
  /** Until when it was leased for a callback. */
  heldUntil: number | undefined;
  /** What the time limit counts from, and how long it is, as the rows say. */
  timedFrom: number;
  timeoutMs: number | undefined;
}

const MAX_CLAIMS = 400;
/** A statement that was given up may still arrive so much later, with a lease that ends so much later. */
const MOST_LATE_MS = 1_000;

export class Invariants {
  readonly #rows: ReadonlyMap<string, Row>;
  readonly #ledger: Ledger;
  readonly #now: () => number;
  readonly #before = new Map<Row, Before>();
  readonly #childKeys = new Map<string, string>();

  constructor(rows: ReadonlyMap<string, Row>, ledger: Ledger, now: () => number) {
    this.#rows = rows;
    this.#ledger = ledger;
    this.#now = now;
  }

  check(): void {
    for (const row of this.#rows.values()) {
      let before = this.#before.get(row);
      if (!before) {
        before = this.#met(row);
        this.#before.set(row, before);
      }
      if (before.ended && !row.end) this.#checkReopened(row, before);
      this.#checkHeld(row, before);
      this.#checkFence(row, before);
      this.#checkStart(row, before);
      this.#checkRecords(row, before);
      this.#checkMail(row, before);
      if (!row.end) this.#checkReason(row, before);
      else if (!before.ended) {
        before.ended = true;
        this.#checkChildren(row);
      }
      before.status = row.status;
    }
  }

  #met(row: Row): Before {
    const { parent, id } = row.facts;
    if (parent) {
      const key = `${parent.id}/${parent.key}`;
      if (this.#childKeys.has(key)) bad("CHILD", `${id} is a second child for ${key}`);
      this.#childKeys.set(key, id);
    }
    return {
      gen: row.gen,
      seq: row.seq,
      status: row.status,
      startAt: row.startAt,
      records: 0,
      claims: 0,
      ended: false,
      mail: 0,
      eventData: new Set(),
      eventsRead: 0,
      seen: 0,
      delivered: new Set(),
      entries: new Map(),
      told: new Set(),
      runAttempt: 1,
      heldUntil: undefined,
      timedFrom: row.facts.timedFrom,
      timeoutMs: row.facts.timeoutMs,
    };
  }

  /**
   * What is held for a callback is so until its deadline, whatever is recorded meanwhile, but for a cancel; and never
   * beyond the run's own time, since no process watches over that.
   */
  #checkHeld(row: Row, before: Before): void {
    const { id } = row.facts;
    const { heldUntil } = before;
    const held = row.hold === "callback" && row.leaseUntil !== null ? row.leaseUntil : undefined;
    before.heldUntil = held;
    const claimed = row.gen > before.gen && row.hold === null;
    if (claimed && heldUntil !== undefined && heldUntil > this.#now() && row.cancelN <= row.seen) {
      bad("DEADLINE", `${id} is taken at ${this.#now()} and held for a callback until ${heldUntil}`);
    }
    if (held === undefined) return;
    if (heldUntil !== undefined && held < heldUntil && row.seq > before.seq) {
      bad("DEADLINE", `a commit brings the end of what ${id} is held for from ${heldUntil} to ${held}`);
    }
    const overAt = before.timedFrom + (before.timeoutMs ?? Number.POSITIVE_INFINITY);
    // A commit, or a generation, may be that of a process which takes it into its memory.
    const taken = row.seq > before.seq || row.gen > before.gen;
    if (held !== heldUntil && !taken && held > overAt + MOST_LATE_MS) {
      bad("DEADLINE", `${id} is held until ${held} and its time is over at ${overAt}`);
    }
  }

  /** Only a failed run is opened again, by one record, under a generation of its own. */
  #checkReopened(row: Row, before: Before): void {
    const { id } = row.facts;
    const value = row.records[before.records]?.value;
    const retried = value?.state === "retried" && value.reopenedAt === this.#now();
    if (before.status !== "failed" || !retried || row.records.length !== before.records + 1) {
      bad("TERM", `${id} was opened again after it was ${before.status}`);
    }
    if (row.gen <= before.gen) bad("GEN", `${id} was opened again under generation ${row.gen}`);
    before.ended = false;
    before.seq = row.seq;
  }

  #checkFence(row: Row, before: Before): void {
    const { id } = row.facts;
    if (row.gen < before.gen) bad("GEN", `the generation of ${id} fell from ${before.gen} to ${row.gen}`);
    if (row.seq < before.seq) bad("SEQ", `the sequence of ${id} fell from ${before.seq} to ${row.seq}`);
    if (row.seq > before.seq + 1) bad("SEQ", `the sequence of ${id} jumped from ${before.seq} to ${row.seq}`);
    if (row.gen > before.gen) {
      before.claims += 1;
      if (before.claims > MAX_CLAIMS) bad("HOT", `${id} was taken ${before.claims} times`);
      const { status } = before;
      const idle = ["suspended", "scheduled", "paused", "failed"];
      const known = before.gen === 0 || idle.includes(status);
      if (!known) this.#ledger.unknownOutcome(id);
    }
    const moved = row.gen > before.gen || row.seq > before.seq;
    if (moved && !row.end && row.cancelN > row.seen) this.#ledger.bar(id, row);
    before.gen = row.gen;
    before.seq = row.seq;
    // A message to a run that has ended is refused, so that every cancel here came before the end.
    if (row.end && row.cancelN > 0 && row.end.status !== "cancelled") {
      bad("CANCEL", `${id} ${row.end.status} after an acknowledged cancel`);
    }
  }

  /** A run that is to start later begins when its time has come or when somebody wakes it. */
  #checkStart(row: Row, before: Before): void {
    const { id } = row.facts;
    const { startAt } = before;
    before.startAt = row.startAt;
    if (row.end) return;
    if (row.startAt !== null) {
      if (row.startAt !== startAt) bad("START", `${id} was to start at ${startAt}, now at ${row.startAt}`);
      if (row.status !== "scheduled" && row.status !== "paused")
        bad("START", `${id} is ${row.status} before its start`);
      return;
    }
    if (startAt === null || startAt <= this.#now()) return;
    if (!row.mail.slice(0, row.seen).some(({ body }) => body.kind === "wakeup")) {
      bad("EARLY", `${id} began ${startAt - this.#now()} ms early`);
    }
  }

  /** A run that was cancelled has told its children; one that had ended before, and was retried by hand, is on its own. */
  #checkChildren({ facts, end }: Row): void {
    if (end?.status !== "cancelled") return;
    for (const child of this.#rows.values()) {
      if (child.facts.parent?.id !== facts.id || child.end) continue;
      const isReopened = child.records.some(({ value }) => value.state === "retried" && value.reopenedAt !== undefined);
      if (child.cancelN === 0 && !isReopened)
        bad("CASCADE", `${child.facts.id} goes on and its parent ${facts.id} was cancelled`);
    }
  }

  #checkRecords(row: Row, before: Before): void {
    const { id } = row.facts;
    if (row.records.length < before.records) bad("HISTORY", `the history of ${id} became shorter`);
    if (before.ended && row.records.length > before.records) bad("TERM", `${id} was written to after its end`);
    for (; before.records < row.records.length; before.records++) {
      const record = row.records[before.records] as HistoryRecord;
      const earlier = before.entries.get(record.key);
      if (record.n !== before.records + 1) bad("HISTORY", `${id} has record ${record.n} at ${before.records + 1}`);
      const ends = earlier && isFinal(earlier) && record.value.state !== "retried";
      if (ends && !isGivenBack(earlier, record)) bad("ONCE", `${id} ${record.key} is recorded after its end`);
      const gen = row.recordGen[before.records] as number;
      if (before.records > 0 && gen < (row.recordGen[before.records - 1] as number)) bad("GEN", `${id} went back`);
      this.#checkRecord(row, record, earlier, before);
      before.entries.set(record.key, record);
      if (record.kind === "run") this.#checkCourse(row, record.value, before);
    }
  }

  /** What the run as a whole goes through. */
  #checkCourse(row: Row, value: RunEntryState, before: Before): void {
    const { id, workflow } = row.facts;
    if (value.state === "limited") before.timeoutMs ??= value.timeoutMs;
    if (value.state === "woken") before.timedFrom = value.at;
    if (value.state === "retried") {
      if (value.runAttempt !== before.runAttempt + 1)
        bad("ATT", `${id} goes from ${before.runAttempt} to another attempt`);
      before.runAttempt = value.runAttempt;
      before.timedFrom = value.reopenedAt ?? before.timedFrom;
      for (const key of hiddenByRetry(before.entries.values())) before.entries.delete(key);
    }
    if (value.state === "failed" && value.error.code === "RUN_TIMEOUT") {
      const earlyMs = before.timedFrom + (before.timeoutMs ?? VERSION_TIMEOUT_MS[workflow] ?? Infinity) - this.#now();
      if (earlyMs > 0) bad("EARLY", `${id} timed out ${earlyMs} ms early`);
    }
  }

  #checkRecord(row: Row, record: HistoryRecord, earlier: HistoryRecord | undefined, before: Before): void {
    const { id } = row.facts;
    const dueAt = earlier && dueAtOf(earlier);
    const now = this.#now();
    if (endedByTime(record) && (dueAt === undefined || dueAt > now)) {
      bad("EARLY", `${id} ${record.key} came due at ${now}, ${(dueAt ?? 0) - now} ms early`);
    }
    if (record.kind === "task" && !(record.value.state === "retrying" && record.value.due)) {
      const key = `${id}-${sha256Hex(record.key).slice(0, 32)}`;
      if (!this.#ledger.wasMade(key, before.runAttempt, record.value.attempts)) {
        bad("ATT", `${id} ${record.key} attempt ${record.value.attempts} is recorded and was never made`);
      }
      if (record.value.state === "completed") this.#ledger.completed(key, record.n);
    }
    if (record.kind === "event" && record.value.state === "received") {
      if (before.delivered.has(record.value.message))
        bad("EVENT", `${id} received message ${record.value.message} twice`);
      before.delivered.add(record.value.message);
      this.#checkTurn(row, record.value.message);
    }
    // An event that filled a wait which was given up is in the queue again.
    if (earlier?.kind === "event" && earlier.value.state === "received") before.delivered.delete(earlier.value.message);
  }

  /** Nobody receives an event while an older one of its name is queued. */
  #checkTurn(row: Row, message: number): void {
    const nameOf = (n: number) => {
      const body = row.mail[n - 1]?.body;
      return body?.kind === "event" ? body.name : undefined;
    };
    const passed = row.queued.find((n) => n < message && nameOf(n) === nameOf(message));
    if (passed !== undefined) bad("TURN", `${row.facts.id} received message ${message} and still queues ${passed}`);
  }

  /** Events that were read are delivered or queued, each once. */
  #checkMail(row: Row, before: Before): void {
    const { id } = row.facts;
    if (row.mail.length !== row.mailSeq) bad("MAIL", `${id} has ${row.mail.length} messages and counts ${row.mailSeq}`);
    if (row.eventIds.size !== row.mail.length) bad("MAIL", `${id} has a message twice`);
    for (; before.mail < row.mail.length; before.mail++) {
      const body = row.mail[before.mail]?.body;
      if (body?.kind === "child") {
        if (before.told.has(body.key)) bad("TOLD", `${id} was told twice how ${body.key} ended`);
        before.told.add(body.key);
      }
      if (body?.kind !== "event") continue;
      // Whoever sends gives every event data of its own.
      if (before.eventData.has(body.data)) bad("MAIL", `${id} has event ${String(body.data)} twice`);
      before.eventData.add(body.data);
    }
    if (row.seen < before.seen) bad("MAIL", `${id} has unread mail`);
    for (; before.seen < row.seen; before.seen++) {
      if (row.mail[before.seen]?.body.kind === "event") before.eventsRead += 1;
    }
    const kept = before.delivered.size + row.queued.length;
    // A run that ends leaves what it has not read.
    if (row.end ? kept > before.eventsRead : kept !== before.eventsRead) {
      bad(
        "EVENT",
        `${id} read ${before.eventsRead} events, received ${before.delivered.size}, queues ${row.queued.length}`,
      );
    }
    if (row.queued.some((n, i) => n <= (row.queued[i - 1] ?? 0))) bad("TURN", `${id} queues ${row.queued.join()}`);
    for (const n of row.queued) if (before.delivered.has(n)) bad("EVENT", `${id} received and still queues ${n}`);
  }

  /** Every live run has exactly one reason to progress. */
  #checkReason(row: Row, before: Before): void {
    const { id } = row.facts;
    const now = this.#now();
    if (row.leaseUntil !== null) {
      if (row.dueAt === null || row.dueAt > now) bad("LEASE", `${id} is leased and could not be claimed afterwards`);
      return;
    }
    if (row.mailSeq > row.seen && (row.dueAt === null || row.dueAt > now)) {
      bad("LOSTWAKE", `${id} is parked with unread mail: ${row.seen} < ${row.mailSeq}`);
    }
    if (row.dueAt !== null && row.dueAt <= now) return;
    if (row.paused || row.status === "stalled") {
      if (row.dueAt !== null) bad("REASON", `${id} is ${row.status} and due at ${row.dueAt}`);
      return;
    }
    if (row.status === "running") bad("ORPHAN", `${id} runs without a lease`);
    let earliest = before.timeoutMs === undefined ? undefined : before.timedFrom + before.timeoutMs;
    let open = false;
    for (const record of before.entries.values()) {
      if (!isOpen(record)) continue;
      open = true;
      const at = dueAtOf(record);
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
    }
    if (row.dueAt === null && !open) bad("ORPHAN", `${id} has no reason to progress`);
    if (row.status === "scheduled" && row.dueAt !== row.startAt) {
      bad("LOSTTIMER", `${id} is due at ${row.dueAt} and starts at ${row.startAt}`);
    }
    if (row.status === "suspended" && row.dueAt !== (earliest ?? null)) {
      bad("LOSTTIMER", `${id} is due at ${row.dueAt}, its earliest timer at ${earliest}`);
    }
  }
}

function isFinal(record: HistoryRecord): boolean {
  switch (record.value.state) {
    case "woken":
    case "limited":
    case "retried":
    case "retrying":
    case "sleeping":
    case "waiting":
    case "started":
      return false;
    default:
      return true;
  }
}

/** The one way on from a final state: a wait is given up that an event had filled. */
function isGivenBack(earlier: HistoryRecord, record: HistoryRecord): boolean {
  return earlier.kind === "event" && earlier.value.state === "received" && record.value.state === "closed";
}

function endedByTime(record: HistoryRecord): boolean {
  const { kind, value } = record;
  if (kind === "task") return value.state === "retrying" && value.due === true;
  if (kind === "run") return value.state === "retried" && value.reopenedAt === undefined;
  return value.state === "timedOut" || (kind === "sleep" && value.state === "completed");
}

function bad(kind: string, message: string): never {
  throw new Violation(kind, message);
}
