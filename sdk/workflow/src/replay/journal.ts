import type { HistoryRecord } from "@aikirun/protocol";

/** What the promise of an open call does with the record that settles it. */
export type Settle = (record: HistoryRecord) => void;

/** Everything that is recorded under one key. */
export interface Entry {
  readonly key: string;
  /** Its last record: the state it is in. */
  readonly last: HistoryRecord;
  /** The last of its settling records that replay has come to. */
  readonly offered: HistoryRecord | undefined;
  /** The call that waits for the next one. */
  settle: Settle | undefined;
}

interface MutableEntry extends Entry {
  last: HistoryRecord;
  offered: HistoryRecord | undefined;
  asked: boolean;
}

/** The recorded history of one run, and what of it the handler has asked for so far. */
export class Journal {
  readonly #entries = new Map<string, MutableEntry>();
  readonly #settling: { readonly record: HistoryRecord; readonly entry: MutableEntry }[] = [];
  /** Calls so far by the key of an address's first call; the first call alone of a recorded address is not counted. */
  readonly #counts = new Map<string, number>();
  readonly #seenN: number;
  #next = 0;
  #offeredN = 0;
  #unasked: number;

  /** `records` in the order of `n`. */
  constructor(records: readonly HistoryRecord[]) {
    let seenN = -1;
    for (const record of records) {
      if (record.kind === "run") continue;
      const { key } = record;
      let entry = this.#entries.get(key);
      if (entry) entry.last = record;
      else {
        entry = { key, last: record, offered: undefined, settle: undefined, asked: false };
        this.#entries.set(key, entry);
      }
      if (settles(record)) this.#settling.push({ record, entry });
      seenN = Math.max(seenN, seenWith(record));
    }
    this.#seenN = seenN;
    this.#unasked = this.#entries.size;
  }

  /**
   * The next call of an address: its key, and its entry, which from now on counts as asked for.
   * `first`: the key of the address's first call, index 0.
   */
  call(first: string): { readonly key: string; readonly entry: Entry | undefined } {
    const firstEntry = this.#entries.get(first);
    // The common case, kept to one look-up: each push makes every recorded call again.
    if (firstEntry && !firstEntry.asked) return { key: first, entry: this.#ask(firstEntry) };
    const index = this.#counts.get(first) ?? (firstEntry ? 1 : 0);
    this.#counts.set(first, index + 1);
    if (index === 0) return { key: first, entry: undefined };
    const key = `${first.slice(0, -1)}${index}`;
    const entry = this.#entries.get(key);
    return { key, entry: entry && this.#ask(entry) };
  }

  #ask(entry: MutableEntry): Entry {
    entry.asked = true;
    this.#unasked--;
    return entry;
  }

  look(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** The next settling record in recorded order, marked as offered, with its entry; undefined when all were. */
  offerNext(): { readonly record: HistoryRecord; readonly entry: Entry } | undefined {
    const offer = this.#settling[this.#next];
    if (!offer) return undefined;
    this.#next++;
    this.#offeredN = offer.record.n;
    offer.entry.offered = offer.record;
    return offer;
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
