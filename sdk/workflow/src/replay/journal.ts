import type { HistoryRecord } from "@aikirun/protocol";

/** Everything that is recorded under one key. */
export interface Entry {
  /** Its last record: the state it is in. */
  readonly last: HistoryRecord;
  /** The last of its settling records that replay has come to. */
  readonly offered: HistoryRecord | undefined;
}

interface MutableEntry {
  last: HistoryRecord;
  offered: HistoryRecord | undefined;
  asked: boolean;
}

/** The recorded history of one run, and what of it the handler has asked for so far. */
export class Journal {
  readonly #entries = new Map<string, MutableEntry>();
  readonly #settling: HistoryRecord[] = [];
  readonly #seenN: number;
  #next = 0;
  #offeredN = 0;
  #unasked: number;

  /** `records` in the order of `n`. */
  constructor(records: readonly HistoryRecord[]) {
    let seenN = -1;
    for (const record of records) {
      if (record.kind === "run") continue;
      const entry = this.#entries.get(record.key);
      if (entry) entry.last = record;
      else this.#entries.set(record.key, { last: record, offered: undefined, asked: false });
      if (settles(record)) this.#settling.push(record);
      seenN = Math.max(seenN, seenWith(record));
    }
    this.#seenN = seenN;
    this.#unasked = this.#entries.size;
  }

  /** The entry of a call, which from now on counts as asked for. */
  ask(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry && !entry.asked) {
      entry.asked = true;
      this.#unasked--;
    }
    return entry;
  }

  look(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** The next settling record in recorded order, marked as offered; undefined when all were. */
  offerNext(): HistoryRecord | undefined {
    const record = this.#settling[this.#next];
    if (!record) return undefined;
    this.#next++;
    this.#offeredN = record.n;
    const entry = this.#entries.get(record.key);
    if (entry) entry.offered = record;
    return record;
  }

  get unasked(): number {
    return this.#unasked;
  }

  /** Keys that no call asked for, in recorded order. */
  leftovers(): string[] {
    return [...this.#entries].filter(([, entry]) => !entry.asked).map(([key]) => key);
  }

  /**
   * Whether an earlier invocation has already run the code that stands at this point. An invocation goes on from every
   * result that it records, so all code up to and after the last record of its making has been run before.
   */
  get seenBefore(): boolean {
    return this.#offeredN <= this.#seenN;
  }
}

/** Whether a record gives a waiting call its result. Only a child gives two: its start and its end. */
function settles(record: HistoryRecord): boolean {
  switch (record.kind) {
    case "task":
      return record.value.state !== "retrying";
    case "sleep":
      return record.value.state !== "sleeping";
    case "event":
    case "wait":
      return record.value.state !== "waiting";
    case "child":
      return true;
    case "run":
      return false;
  }
}

/** The number up to which a handler had gone when its command made this record; -1 for messages and timers. */
function seenWith(record: HistoryRecord): number {
  const { n, value } = record;
  if (record.kind === "child") return value.state === "started" ? n : -1;
  if (record.kind !== "task") return settles(record) ? -1 : n;
  if (record.value.state === "retrying") return record.value.due ? -1 : n;
  // The invocation ran out of time together with the task, so nobody went on from its failure.
  return record.value.state === "failed" && record.value.error.code === "OUT_OF_TIME" ? n - 1 : n;
}
