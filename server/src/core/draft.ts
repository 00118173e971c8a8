/** A transition in the making: new records on top of a state that stays untouched until the commit is acknowledged. */
import { entryKey, type HistoryRecord, hiddenByRetry, parseEntryKey } from "@aikirun/protocol/canonical";
import type { Instant } from "./clock.js";
import type { NewChild, QueuedMail } from "./run.js";
import { dueAtOf, type Entry, isOpen, type RunState } from "./state.js";

type Unnumbered<R> = R extends HistoryRecord ? Omit<R, "n"> : never;

export class Draft {
  readonly state: RunState;
  readonly now: Instant;
  readonly records: HistoryRecord[] = [];
  readonly children: NewChild[] = [];
  readonly #changed = new Map<string, Entry>();
  /** Keys of entries of the state that a retry in this transition hides. */
  readonly #hidden = new Set<string>();
  queued: QueuedMail[];
  paused: boolean;
  stalled: boolean;
  startAt: number | undefined;
  /** Something settled that the endpoint did not know when it answered: a push has something to say. */
  news = false;
  cancelled: { readonly reason: string | undefined } | undefined;

  constructor(state: RunState, now: Instant) {
    this.state = state;
    this.now = now;
    this.queued = [...state.queued];
    this.paused = state.paused;
    this.stalled = state.stalled;
    this.startAt = state.startAt;
  }

  entry(key: string): Entry | undefined {
    return this.#changed.get(key) ?? (this.#hidden.has(key) ? undefined : this.state.entries.get(key));
  }

  /** Whether the handler has failed and waits for its next attempt: nothing is pushed before that. */
  get retrying(): boolean {
    return this.entry(RUN_KEY)?.value.state === "retrying";
  }

  put(record: Unnumbered<HistoryRecord>): void {
    const numbered = { ...record, n: this.state.records.length + this.records.length + 1 } as HistoryRecord;
    this.records.push(numbered);
    this.#changed.set(numbered.key, numbered);
    if (numbered.kind === "run" && numbered.value.state === "retried") this.#hideFailed();
  }

  #hideFailed(): void {
    const entries = new Map([...this.state.entries].filter(([key]) => !this.#hidden.has(key)));
    for (const [key, entry] of this.#changed) entries.set(key, entry);
    for (const key of hiddenByRetry(entries.values())) {
      this.#changed.delete(key);
      this.#hidden.add(key);
    }
  }

  /** Entries that time or a message can still change. */
  *openEntries(): Iterable<Entry> {
    for (const key of this.state.open) {
      const entry = this.entry(key);
      if (entry && isOpen(entry)) yield entry;
    }
    for (const [key, entry] of this.#changed) if (!this.state.open.has(key) && isOpen(entry)) yield entry;
  }

  /**
   * Gives up a wait that the handler has not seen the outcome of. An event that filled it goes back to where it was in
   * the queue: ahead of all that came after it. What has ended otherwise stays as it is.
   */
  close(key: string): void {
    const entry = this.entry(key);
    if (entry?.kind === "event" && entry.value.state === "received") {
      const { message: n, data } = entry.value;
      const name = parseEntryKey(key)?.address ?? "";
      const later = this.queued.findIndex((mail) => mail.n > n);
      this.queued.splice(later < 0 ? this.queued.length : later, 0, { n, body: { kind: "event", name, data } });
    } else if (!entry || !isOpen(entry)) return;
    if (entry.kind === "event" || entry.kind === "sleep" || entry.kind === "wait")
      this.put({ kind: entry.kind, key, value: { state: "closed" } });
  }

  /** Hands queued events to open waits: per name, the oldest event to the wait that was called first. */
  deliverEvents(): void {
    for (let i = 0; i < this.queued.length; ) {
      const mail = this.queued[i] as QueuedMail;
      const wait = mail.body.kind === "event" ? this.#firstWait(mail.body.name) : undefined;
      if (wait === undefined || mail.body.kind !== "event") {
        i++;
        continue;
      }
      this.queued.splice(i, 1);
      const data = mail.body.data;
      const value = { state: "received" as const, message: mail.n, ...(data === undefined ? {} : { data }) };
      this.put({ kind: "event", key: wait, value });
      this.news = true;
    }
  }

  #firstWait(name: string): string | undefined {
    let first: { key: string; index: number } | undefined;
    for (const entry of this.openEntries()) {
      if (entry.kind !== "event") continue;
      const { address, index } = parseEntryKey(entry.key) ?? { address: "", index: 0 };
      if (address === name && (first === undefined || index < first.index)) first = { key: entry.key, index };
    }
    return first?.key;
  }

  /** Settles, in time order, what came due up to `at`, which must not be later than the database's clock. */
  fire(at: number): void {
    if (this.paused || this.stalled) return;
    if (this.startAt !== undefined && this.startAt <= at) this.begin();
    const due = [...this.openEntries()].filter((entry) => (dueAtOf(entry) ?? Number.POSITIVE_INFINITY) <= at);
    due.sort((a, b) => (dueAtOf(a) ?? 0) - (dueAtOf(b) ?? 0) || a.n - b.n);
    for (const entry of due) {
      // Unless a retry of the run, which came due before it, has hidden it.
      if (this.entry(entry.key) !== entry) continue;
      this.#settleByTime(entry);
      this.news = true;
    }
  }

  /** A run that was to start later starts now. */
  begin(): void {
    if (this.startAt === undefined) return;
    this.startAt = undefined;
    this.news = true;
  }

  #settleByTime(entry: Entry): void {
    if (entry.kind === "task" && entry.value.state === "retrying") {
      this.put({ kind: "task", key: entry.key, value: { ...entry.value, due: true } });
    } else if (entry.kind === "run") {
      const runAttempt = this.state.runAttempt + 1;
      this.put({ kind: "run", key: RUN_KEY, value: { state: "retried", runAttempt } });
    } else if (entry.kind === "sleep") {
      this.put({ kind: "sleep", key: entry.key, value: { state: "completed" } });
    } else if (entry.kind === "event") {
      this.put({ kind: "event", key: entry.key, value: { state: "timedOut" } });
    } else if (entry.kind === "wait") {
      this.put({ kind: "wait", key: entry.key, value: { state: "timedOut" } });
    }
  }
}

/** The key of the run's own course and end. */
export const RUN_KEY = entryKey("run", "", 0);
