import type { HistoryRecord } from "@aikirun/protocol";
import { hiddenByRetry } from "@aikirun/protocol/canonical";

/**
 * The recorded history of one run and its index: a slot for each key, in recorded order. Whoever keeps a history
 * between two invocations keeps it with its index, which costs as much to build as a third of a replay, and extends it.
 */
export class History {
  readonly #records: HistoryRecord[] = [];
  readonly #slots = new Map<string, number>();
  /** By slot. */
  readonly #last: HistoryRecord[] = [];
  /** The records that give a waiting call its result, in recorded order, and their slots. */
  readonly #settling: HistoryRecord[] = [];
  readonly #settlingSlots: number[] = [];
  /** Keys that a retry has hidden and no call gets again: of children, which are not started a second time. */
  readonly #spent = new Set<string>();
  /** Slots below this are from earlier attempts of the handler. */
  #kept = 0;
  #attempts = 1;
  #seenN = -1;
  #closed = 0;
  /** The first of the last run of `OUT_OF_TIME` records without a gap, and the last: one answer made them. */
  #outOfTime = { from: 0, to: 0 };
  #readers = 0;

  /** `records` in the order of `n`. */
  constructor(records: readonly HistoryRecord[]) {
    this.#append(records);
  }

  /**
   * This history with later records: itself, grown, or a new one while an invocation still reads this one. An
   * orchestrator pushes a run again when it has given up on an invocation, which goes on unaware of that.
   */
  extended(records: readonly HistoryRecord[]): History {
    if (this.#readers > 0) {
      const copy = new History([...this.#records, ...records]);
      copy.saw(this.#seenN);
      return copy;
    }
    this.#append(records);
    return this;
  }

  /** Keeps the history as it is until `closeReader`. */
  openReader(): void {
    this.#readers++;
  }

  closeReader(): void {
    this.#readers--;
  }

  #append(records: readonly HistoryRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      if (record.kind === "run") {
        if (record.value.state === "retried") this.#retry(record.value.reopenedAt !== undefined);
        continue;
      }
      let slot = this.#slots.get(record.key);
      if (slot === undefined) {
        slot = this.#last.length;
        this.#slots.set(record.key, slot);
      }
      this.#last[slot] = record;
      if (record.value.state === "closed") this.#closed++;
      if (settles(record)) {
        this.#settling.push(record);
        this.#settlingSlots.push(slot);
      }
      this.#seenN = Math.max(this.#seenN, this.#seenWith(record));
    }
  }

  /** The number up to which a handler had gone when its command made this record; -1 for messages and timers. */
  #seenWith(record: HistoryRecord): number {
    const { n, value } = record;
    if (record.kind === "child") return value.state === "started" ? n : -1;
    if (record.kind !== "task") return settles(record) ? -1 : n;
    if (record.value.state === "retrying" && record.value.due) return -1;
    if (record.value.state === "completed" || record.value.error.code !== "OUT_OF_TIME") return n;
    // The invocation ran out of time together with its tasks, so nobody went on from any of their failures.
    const { from, to } = this.#outOfTime;
    this.#outOfTime = { from: to === n - 1 && to > 0 ? from : n, to: n };
    return this.#outOfTime.from - 1;
  }

  /** The handler runs once more: it may use what is kept, and must not find what is hidden. */
  #retry(reopened: boolean): void {
    const entries = [...this.#slots.values()].map((slot) => this.#last[slot] as HistoryRecord);
    for (const key of hiddenByRetry(entries)) {
      this.#slots.delete(key);
      if (key.startsWith("child:")) this.#spent.add(key);
    }
    this.#kept = this.#last.length;
    this.#closed = 0;
    this.#attempts = reopened ? 1 : this.#attempts + 1;
    this.#seenN = -1;
  }

  get records(): readonly HistoryRecord[] {
    return this.#records;
  }

  /** How many keys, and so slots, there are. */
  get size(): number {
    return this.#last.length;
  }

  /** How many were given up in this attempt of the handler. */
  get closed(): number {
    return this.#closed;
  }

  slot(key: string): number | undefined {
    return this.#slots.get(key);
  }

  isSpent(key: string): boolean {
    return this.#spent.has(key);
  }

  /** Slots from here on are of this attempt of the handler, which has asked for each of them. */
  get kept(): number {
    return this.#kept;
  }

  /** Attempts of the handler since the run was started or somebody retried it. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Keys and their slots, in recorded order. */
  entries(): IterableIterator<[key: string, slot: number]> {
    return this.#slots.entries();
  }

  /** The last record of a slot: the state that its entry is in. */
  last(slot: number): HistoryRecord | undefined {
    return this.#last[slot];
  }

  /** Settling record number `index`, from 0. */
  settling(index: number): HistoryRecord | undefined {
    return this.#settling[index];
  }

  settlingSlot(index: number): number | undefined {
    return this.#settlingSlots[index];
  }

  /**
   * A handler has gone on from record `n`. Records tell by themselves what was asked for after it; when nothing was,
   * only whoever keeps this history knows.
   */
  saw(n: number): void {
    this.#seenN = Math.max(this.#seenN, n);
  }

  /** The number up to which an earlier invocation's handler has gone. */
  get seenN(): number {
    return this.#seenN;
  }
}

/** Whether a record gives a waiting call its result. A child's start gives none: its run id is known before. */
export function settles(record: HistoryRecord): boolean {
  switch (record.kind) {
    case "task":
      return record.value.state !== "retrying";
    case "sleep":
      return record.value.state !== "sleeping" && record.value.state !== "closed";
    case "event":
    case "wait":
      return record.value.state !== "waiting" && record.value.state !== "closed";
    case "child":
      return record.value.state === "ended";
    case "run":
      return false;
  }
}
