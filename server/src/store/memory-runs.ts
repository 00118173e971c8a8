/**
 * Runs in memory. Every verb is one synchronous step, and so as atomic as one statement of Postgres; `claim` is two,
 * because the mail is read by the statement after the one that takes the lease.
 */
import type { Run, RunStatus, RunSummary } from "@aikirun/protocol";
import type { Instant } from "../core/clock.js";
import type { Commit, LoadedRun, Mail, NewChild, NewMessage, NewRun, RunFacts } from "../core/run.js";
import { reasonOf, statusAfter } from "../core/status.js";
import {
  holdsFence,
  isClaimable,
  isLive,
  isUnserved,
  keepPush,
  mailAfter,
  newRow,
  type Row,
  receive,
  reopen,
  takeLease,
  toLoaded,
  waitsFor,
} from "./memory-row.js";
import { countByStatus, countByVersion, matches, sample, toRun, toSummary } from "./memory-view.js";
import type {
  AppendOutcome,
  AppendWhereOutcome,
  CommitOutcome,
  HistoryPart,
  RetryOutcome,
  RunFilter,
  RunList,
  RunQueries,
  RunStore,
  SampledRun,
  StartOutcome,
} from "./port.js";

export interface MemoryStoreOptions {
  /** The database's clock, in milliseconds. Default: the real one. */
  readonly now?: () => number;
  /** Called after every statement with the verb's name: the place to check invariants. */
  readonly afterStatement?: (verb: string) => void;
  /** Awaited between the two statements of `claim`. */
  readonly betweenStatements?: () => Promise<void>;
}

export class MemoryRuns implements RunStore, RunQueries {
  readonly #options: MemoryStoreOptions;
  readonly #epoch: () => number;
  /** By namespace and id. Insertion order is creation order. */
  readonly rows = new Map<string, Row>();
  readonly #live = new Set<Row>();
  readonly #byReference = new Map<string, Row>();
  readonly #byParentKey = new Map<string, Row>();

  constructor(options: MemoryStoreOptions, epoch: () => number) {
    this.#options = options;
    this.#epoch = epoch;
  }

  now(): Instant {
    const now = this.#clock();
    return { earliest: now, latest: now };
  }

  async start(run: NewRun, leaseMs: number | undefined): Promise<StartOutcome> {
    return this.#statement("start", () => {
      const taken = this.#existing(run);
      if (taken) return taken;
      const now = this.#clock();
      const dueAt = run.trigger ? ("at" in run.trigger ? run.trigger.at : now + run.trigger.delayMs) : now;
      const row = this.#insert(run.facts, run.requestHash, now, Math.max(now, dueAt));
      if (leaseMs === undefined || dueAt > now) return { type: "created", run: toSummary(row), held: undefined };
      takeLease(row, this.#epoch(), now + leaseMs);
      return { type: "created", run: toSummary(row), held: toLoaded(row) };
    });
  }

  async append(message: NewMessage, maxQueued: number, leaseMs?: number): Promise<AppendOutcome> {
    return this.#statement("append", () => {
      const row = this.find(message.ns, message.runId);
      if (!row) return { type: "unknown" };
      if (row.eventIds.has(message.eventId)) return { type: "duplicate" };
      if (!isLive(row)) return { type: "ended", status: row.status };
      const waiting = row.mailSeq - row.seen + row.queued.length;
      if (message.body.kind === "event" && waiting >= maxQueued) return { type: "too_many_queued" };
      const now = this.#clock();
      const n = receive(row, message.eventId, message.body, now);
      if (leaseMs === undefined || row.leaseUntil !== null || row.status !== "suspended")
        return { type: "appended", n };
      takeLease(row, this.#epoch(), now + leaseMs);
      return { type: "appended", n, held: toLoaded(row, "suspended") };
    });
  }

  async appendWhere(
    { ns, filter, cursor, limit }: Parameters<RunStore["appendWhere"]>[0],
    { eventId, body }: Parameters<RunStore["appendWhere"]>[1],
  ): Promise<AppendWhereOutcome> {
    return this.#statement("appendWhere", () => {
      const page = [...this.#live]
        .filter((row) => row.facts.ns === ns && matches(row, filter))
        .filter(({ facts }) => cursor === undefined || facts.id < cursor)
        .sort((a, b) => (a.facts.id < b.facts.id ? 1 : -1))
        .slice(0, limit);
      const fresh = page.filter((row) => !row.eventIds.has(eventId));
      for (const row of fresh) receive(row, eventId, body, this.#clock());
      return {
        runIds: fresh.map(({ facts }) => facts.id),
        duplicates: page.length - fresh.length,
        cursor: page.length < limit ? undefined : page.at(-1)?.facts.id,
      };
    });
  }

  async claim(options: Parameters<RunStore["claim"]>[0]): Promise<LoadedRun[]> {
    const { unserved, only } = options;
    const claimed = this.#statement("claim", () => {
      const now = this.#clock();
      const due = [...this.#live]
        .filter(({ facts }) => !only || (facts.ns === only.ns && facts.id === only.runId))
        .filter((row) => (unserved ? waitsFor(row, unserved) : isClaimable(row, now)));
      if (unserved) due.sort((a, b) => (a.facts.id < b.facts.id ? -1 : 1));
      else due.sort((a, b) => (a.dueAt as number) - (b.dueAt as number) || a.serial - b.serial);
      return due.slice(0, options.limit).map((row) => {
        const { status } = row;
        takeLease(row, this.#epoch(), now + options.leaseMs);
        // A run that nobody served may not have been due yet. While it is held it is, so that its lease can run out.
        row.dueAt = Math.min(row.dueAt ?? now, now);
        return { row, gen: row.gen, status };
      });
    });
    await this.#options.betweenStatements?.();
    return this.#statement("read", () =>
      claimed.filter(({ row, gen }) => isLive(row) && row.gen === gen).map(({ row, status }) => toLoaded(row, status)),
    );
  }

  async dueRuns(limit: number): Promise<{ ns: string; runId: string }[]> {
    return this.#statement("dueRuns", () => {
      const now = this.#clock();
      return [...this.#live]
        .filter((row) => isClaimable(row, now))
        .sort((a, b) => (a.dueAt as number) - (b.dueAt as number) || a.serial - b.serial)
        .slice(0, limit)
        .map(({ facts }) => ({ ns: facts.ns, runId: facts.id }));
    });
  }

  async wakesAt(ns: string, runId: string): Promise<number | null | undefined> {
    return this.#statement("wakesAt", () => {
      const row = this.#findLive(ns, runId);
      return row && (row.leaseUntil ?? row.dueAt ?? null);
    });
  }

  async load(ns: string, runId: string): Promise<LoadedRun | undefined> {
    return this.#statement("load", () => {
      const row = this.#findLive(ns, runId);
      return row && toLoaded(row);
    });
  }

  async readMail(ns: string, runId: string, after: number): Promise<Mail[]> {
    return this.#statement("readMail", () => {
      const row = this.find(ns, runId);
      return row ? mailAfter(row, after) : [];
    });
  }

  async commit(commit: Commit, leaseMs: number): Promise<CommitOutcome> {
    return this.#statement("commit", () => {
      const row = this.find(commit.ns, commit.runId);
      if (!row || !holdsFence(row, commit.fence)) return { type: "fenced" };
      if (commit.next.type === "end" && row.ctlN > commit.seen) return { type: "unread" };
      this.#apply(row, commit, leaseMs);
      for (const child of commit.children) this.#insertChild(child);
      for (const message of commit.messages) this.#send(message);
      return { type: "committed", mailSeq: row.mailSeq };
    });
  }

  async lastCommit(ns: string, runId: string): Promise<{ gen: number; commitId: string | undefined } | undefined> {
    return this.#statement("lastCommit", () => {
      const row = this.find(ns, runId);
      return row && { gen: row.gen, commitId: row.lastCommit };
    });
  }

  async extend(
    ns: string,
    runId: string,
    gen: number,
    leaseMs: number,
  ): Promise<{ cancelRequested: boolean } | undefined> {
    return this.#statement("extend", () => {
      const row = this.#findLive(ns, runId);
      // A run that its own generation has parked stays parked when an extension arrives late.
      if (!row || row.gen !== gen || row.leaseUntil === null) return undefined;
      row.leaseUntil = this.#clock() + leaseMs;
      return { cancelRequested: row.cancelN > row.seen };
    });
  }

  async holdForCallback(ns: string, runId: string, gen: number, leaseMs: number): Promise<boolean> {
    return this.#statement("holdForCallback", () => {
      const row = this.#findLive(ns, runId);
      if (!row || row.gen !== gen || row.leaseUntil === null) return false;
      row.leaseUntil = this.#clock() + leaseMs;
      row.hold = "callback";
      return true;
    });
  }

  async bump(
    ns: string,
    runId: string,
    gen: number,
    leaseMs: number,
  ): Promise<{ gen: number; seq: number; tries: number; mailSeq: number } | undefined> {
    return this.#statement("bump", () => {
      const row = this.#findLive(ns, runId);
      if (!row || row.gen !== gen || row.leaseUntil === null) return undefined;
      row.gen += 1;
      row.tries += 1;
      row.leaseUntil = this.#clock() + leaseMs;
      return { gen: row.gen, seq: row.seq, tries: row.tries, mailSeq: row.mailSeq };
    });
  }

  async retry(ns: string, runId: string, eventId: string): Promise<RetryOutcome> {
    return this.#statement("retry", () => {
      const row = this.find(ns, runId);
      if (!row) return { type: "unknown" };
      if (row.eventIds.has(eventId)) return { type: "duplicate" };
      if (row.end?.status !== "failed") return { type: "not_failed", status: row.status };
      reopen(row, this.#epoch(), eventId, this.#clock());
      this.#live.add(row);
      return { type: "retried" };
    });
  }

  async release(ns: string, runId: string, gen: number): Promise<void> {
    this.#statement("release", () => {
      const row = this.#findLive(ns, runId);
      if (!row || row.gen !== gen || row.leaseUntil === null) return;
      row.leaseUntil = null;
      row.hold = null;
      row.dueAt = this.#clock();
      row.status = statusAfter(row.status, "release");
    });
  }

  async wakeUnserved(
    ns: string,
    versions: readonly { readonly workflow: string; readonly version: string }[],
  ): Promise<number> {
    return this.#statement("wakeUnserved", () => {
      const now = this.#clock();
      let woken = 0;
      for (const row of this.#live) {
        if (!waitsFor(row, { ns, wanted: versions.map((version) => ({ ...version, pool: undefined })) })) continue;
        row.dueAt = now;
        woken += 1;
      }
      return woken;
    });
  }

  async nextDueAt(): Promise<number | undefined> {
    return this.#statement("nextDueAt", () => {
      const now = this.#clock();
      let earliest: number | undefined;
      for (const row of this.#live) {
        if (row.dueAt === null || row.leaseUntil !== null || row.dueAt <= now) continue;
        earliest = earliest === undefined ? row.dueAt : Math.min(earliest, row.dueAt);
      }
      return earliest;
    });
  }

  async getRun(ns: string, runId: string): Promise<Run | undefined> {
    const row = this.find(ns, runId);
    return row && toRun(row);
  }

  async findByReference(
    ns: string,
    workflow: string,
    version: string,
    reference: string,
  ): Promise<RunSummary | undefined> {
    const row = this.#byReference.get(referenceKey(ns, workflow, version, reference));
    return row && toSummary(row);
  }

  async versionsOf(ns: string, runIds: readonly string[]): Promise<Map<string, { workflow: string; version: string }>> {
    const found = runIds.flatMap((id) => this.find(ns, id)?.facts ?? []);
    return new Map(found.map(({ id, workflow, version }) => [id, { workflow, version }]));
  }

  async listRuns(ns: string, filter: RunFilter, cursor: string | undefined, limit: number): Promise<RunList> {
    const newest = [...this.rows.values()]
      .filter((row) => row.facts.ns === ns && matches(row, filter))
      .sort((a, b) => (a.facts.id < b.facts.id ? 1 : -1));
    const page = newest.filter((row) => cursor === undefined || row.facts.id < cursor).slice(0, limit);
    return { runs: page.map(toSummary), next: page.length === limit ? page.at(-1)?.facts.id : undefined };
  }

  async readHistory(
    ns: string,
    runId: string,
    after: number,
    limit: number,
    maxBytes: number,
  ): Promise<HistoryPart | undefined> {
    const row = this.find(ns, runId);
    if (!row) return undefined;
    const records: HistoryPart["records"][number][] = [];
    let bytes = 0;
    for (const record of row.records.slice(after, after + limit)) {
      if (bytes >= maxBytes && records.length > 0) break;
      bytes += Buffer.byteLength(JSON.stringify(record.value));
      records.push({ ...record, at: row.recordedAt[record.n - 1] as number });
    }
    return { records, more: after + records.length < row.records.length };
  }

  async countLive(ns: string): Promise<{ workflow: string; version: string; live: number }[]> {
    const live = [...this.#live].filter(({ facts }) => facts.ns === ns);
    return countByVersion(live).map(({ count, ...version }) => ({ ...version, live: count }));
  }

  async countByStatus(ns: string, most: number): Promise<{ status: RunStatus; count: number; more: boolean }[]> {
    return countByStatus(
      [...this.rows.values()].filter(({ facts }) => facts.ns === ns),
      most,
    );
  }

  async countUnserved(ns: string, most: number): Promise<{ workflow: string; version: string; waiting: number }[]> {
    const unserved = [...this.#live].filter((row) => row.facts.ns === ns && isUnserved(row)).slice(0, most);
    return countByVersion(unserved).map(({ count, ...version }) => ({ ...version, waiting: count }));
  }

  async sampleLive(
    ns: string,
    versions: readonly { readonly workflow: string; readonly version: string }[],
    limit: number,
  ): Promise<SampledRun[]> {
    const wanted = new Set(versions.map(({ workflow, version }) => JSON.stringify([workflow, version])));
    const live = [...this.#live].filter(
      ({ facts, seq }) => facts.ns === ns && seq > 0 && wanted.has(JSON.stringify([facts.workflow, facts.version])),
    );
    return sample(live, limit);
  }

  async readFacts(ns: string, runId: string): Promise<RunFacts | undefined> {
    return this.find(ns, runId)?.facts;
  }

  /** A part of the statement that fires a schedule. */
  startScheduled(schedule: string, facts: Omit<RunFacts, "createdAt" | "timedFrom">, requestHash: string): void {
    if (this.find(facts.ns, facts.id)) return;
    const now = this.#clock();
    this.#insert(facts, requestHash, now, now).schedule = schedule;
  }

  /** A part of the statement that fires a schedule. */
  send(message: NewMessage): void {
    this.#send(message);
  }

  #clock(): number {
    return this.#options.now?.() ?? Date.now();
  }

  #statement<T>(verb: string, run: () => T): T {
    const result = run();
    this.#options.afterStatement?.(verb);
    return result;
  }

  /** For tests: the row itself. */
  find(ns: string, runId: string): Row | undefined {
    return this.rows.get(rowKey(ns, runId));
  }

  #findLive(ns: string, runId: string): Row | undefined {
    const row = this.find(ns, runId);
    return row && isLive(row) ? row : undefined;
  }

  #existing(run: NewRun): StartOutcome | undefined {
    const { ns, id, workflow, version, reference } = run.facts;
    const sameId = this.find(ns, id);
    if (sameId) {
      return sameId.requestHash === run.requestHash
        ? { type: "existing", run: toSummary(sameId) }
        : { type: "id_conflict" };
    }
    if (reference === undefined) return undefined;
    const sameReference = this.#byReference.get(referenceKey(ns, workflow, version, reference));
    if (!sameReference) return undefined;
    const accepted = sameReference.requestHash === run.requestHash || run.conflictPolicy === "return_existing";
    return { type: accepted ? "existing" : "reference_conflict", run: toSummary(sameReference) };
  }

  #insert(facts: Omit<RunFacts, "createdAt" | "timedFrom">, requestHash: string, now: number, dueAt: number): Row {
    const row = newRow(
      { ...facts, createdAt: now, timedFrom: dueAt },
      requestHash,
      this.rows.size,
      this.#epoch(),
      dueAt,
    );
    this.rows.set(rowKey(facts.ns, facts.id), row);
    this.#live.add(row);
    // A child's reference lives in its key at the parent; it never competes with the references of starts.
    if (facts.parent) this.#byParentKey.set(childKey(facts.ns, facts.parent), row);
    else if (facts.reference !== undefined) {
      this.#byReference.set(referenceKey(facts.ns, facts.workflow, facts.version, facts.reference), row);
    }
    return row;
  }

  #insertChild(child: NewChild): void {
    const { parent, ns, id } = child.facts;
    if (parent && this.#byParentKey.has(childKey(ns, parent))) return;
    if (this.find(ns, id)) return;
    const now = this.#clock();
    this.#insert(child.facts, child.requestHash, now, now + (child.delayMs ?? 0));
  }

  #send(message: NewMessage): void {
    const row = this.find(message.ns, message.runId);
    if (!row || row.eventIds.has(message.eventId)) return;
    if (isLive(row) || message.body.kind === "child") receive(row, message.eventId, message.body, this.#clock());
  }

  #apply(row: Row, commit: Commit, leaseMs: number): void {
    const now = this.#clock();
    row.seq += 1;
    row.seen = commit.seen;
    row.queued = commit.queued;
    row.paused = commit.paused;
    row.startAt = commit.startAt ?? null;
    row.lastCommit = commit.commitId;
    row.trouble = commit.trouble;
    for (const record of commit.records) {
      row.records.push(record);
      row.recordedAt.push(now);
      row.recordGen.push(row.gen);
    }
    if (commit.push) keepPush(row, { gen: row.gen, at: now, push: commit.push });
    const { next } = commit;
    if (commit.records.length > 0 || next.type === "park") row.tries = 0;
    row.status = statusAfter(row.status, reasonOf(next));
    if (next.type === "keep") {
      if (next.retakes) row.hold = null;
      const least = row.hold === "callback" ? (row.leaseUntil ?? 0) : 0;
      row.leaseUntil = Math.max(least, now + leaseMs);
      row.dueAt = now;
    } else if (next.type === "park") {
      row.leaseUntil = null;
      row.hold = null;
      row.dueAt = row.mailSeq > commit.seen ? now : next.dueAt;
    } else {
      const { type: _, ...end } = next;
      row.leaseUntil = null;
      row.hold = null;
      row.dueAt = null;
      row.end = { ...end, endedAt: now };
      this.#live.delete(row);
    }
  }
}

/** No namespace, id or name holds a control character. */
function rowKey(scope: string, id: string): string {
  return `${scope}\u0000${id}`;
}

function childKey(ns: string, parent: { readonly id: string; readonly key: string }): string {
  return [ns, parent.id, parent.key].join("\u0000");
}

function referenceKey(ns: string, workflow: string, version: string, reference: string): string {
  return [ns, workflow, version, reference].join("\u0000");
}
