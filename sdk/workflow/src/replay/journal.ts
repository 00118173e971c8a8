import type { HistoryRecord } from "@aikirun/protocol";
import type { History } from "./history.js";

/** What the promise of an open call does with the record that settles it. */
export type Settle = (record: HistoryRecord) => void;

/** What of a run's history one invocation's handler has asked for and seen so far. Entries are slots of the history. */
export class Journal {
  readonly #history: History;
  /** By slot: 1 when a call asked for it, 2 when its recorded close was asked for as well. */
  readonly #asked: Uint8Array;
  /** By slot: the last of its settling records that replay has come to. */
  readonly #offered: (HistoryRecord | undefined)[];
  /** By slot: the call that waits for the next one. */
  readonly #settle: (Settle | undefined)[];
  /** Calls so far by the key of an address's first call; the first call alone of a recorded address is not counted. */
  readonly #counts = new Map<string, number>();
  #next = 0;
  #offeredN = 0;
  #unasked: number;

  constructor(history: History) {
    this.#history = history;
    this.#unasked = history.size - history.kept + history.closed;
    this.#asked = new Uint8Array(history.size);
    this.#offered = new Array(history.size);
    this.#settle = new Array(history.size);
  }

  /**
   * The next call of an address: its key, and its entry, which from now on counts as asked for.
   * `first`: the key of the address's first call, index 0.
   */
  call(first: string): { readonly key: string; readonly entry: number | undefined } {
    const firstEntry = this.#history.slot(first);
    // The common case, kept to one look-up: each push makes every recorded call again.
    if (firstEntry !== undefined && this.#asked[firstEntry] === 0) return { key: first, entry: this.#ask(firstEntry) };
    let index = this.#counts.get(first) ?? (firstEntry === undefined ? 0 : 1);
    let key = keyAt(first, index);
    while (this.#history.isSpent(key)) key = keyAt(first, ++index);
    this.#counts.set(first, index + 1);
    if (index === 0) return { key, entry: undefined };
    const entry = this.#history.slot(key);
    return { key, entry: entry === undefined ? undefined : this.#ask(entry) };
  }

  #ask(entry: number): number {
    this.#asked[entry] = 1;
    // What an earlier attempt of the handler left is used when it is asked for, and need not be.
    if (entry >= this.#history.kept) this.#unasked--;
    return entry;
  }

  look(key: string): number | undefined {
    return this.#history.slot(key);
  }

  /** An entry's last record, whether replay has come to it or not. */
  last(entry: number | undefined): HistoryRecord | undefined {
    return entry === undefined ? undefined : this.#history.last(entry);
  }

  isClosed(entry: number | undefined): boolean {
    return this.last(entry)?.value.state === "closed";
  }

  /** A call gives up its entry. True when that is new; false when it is recorded, or the entry has ended by itself. */
  close(entry: number | undefined): boolean {
    if (entry === undefined) return true;
    if (!this.isClosed(entry)) return isUnseen(this.last(entry));
    if (this.#asked[entry] === 1) {
      this.#asked[entry] = 2;
      this.#unasked--;
    }
    return false;
  }

  /** The last of an entry's settling records that replay has come to. */
  offered(entry: number | undefined): HistoryRecord | undefined {
    return entry === undefined ? undefined : this.#offered[entry];
  }

  /** Gives `settle` the next settling record of an entry. */
  await(entry: number, settle: Settle): void {
    this.#settle[entry] = settle;
  }

  /** The call that waits for an entry's next settling record, which it gets from whoever takes it. */
  takeAwaiting(entry: number | undefined): Settle | undefined {
    if (entry === undefined) return undefined;
    const settle = this.#settle[entry];
    this.#settle[entry] = undefined;
    return settle;
  }

  /**
   * The next settling record in recorded order, marked as offered, with its entry; undefined when all were, or when it
   * is one that a call is still to ask for and `asked` are wanted. What an earlier attempt left waits for nobody.
   */
  offerNext(wanted: "asked" | "any"): { readonly record: HistoryRecord; readonly entry: number } | undefined {
    const record = this.#history.settling(this.#next);
    const entry = this.#history.settlingSlot(this.#next);
    if (!record || entry === undefined) return undefined;
    if (wanted === "asked" && entry >= this.#history.kept && this.#asked[entry] === 0) return undefined;
    this.#next++;
    this.#offeredN = record.n;
    this.#offered[entry] = record;
    return { record, entry };
  }

  /** Whether there are recorded results that were not offered. */
  get offersMore(): boolean {
    return this.#history.settling(this.#next) !== undefined;
  }

  /** The number of the last record that was offered. */
  get offeredN(): number {
    return this.#offeredN;
  }

  /** Recorded calls and closes that nothing asked for. */
  get unasked(): number {
    return this.#unasked;
  }

  /** Keys that no call asked for, in recorded order. */
  leftovers(): string[] {
    const { kept } = this.#history;
    return [...this.#history.entries()].flatMap(([key, slot]) => (slot >= kept && !this.#asked[slot] ? [key] : []));
  }

  /** Keys that were called and not given up, as history says that they were. */
  unclosed(): string[] {
    return [...this.#history.entries()].flatMap(([key, slot]) =>
      this.#asked[slot] === 1 && this.isClosed(slot) ? [key] : [],
    );
  }

  /**
   * Whether an earlier invocation has already run the code that stands at this point. An invocation goes on from every
   * result that it records, so all code up to and after the last record of its making has been run before.
   */
  get seenBefore(): boolean {
    return this.#offeredN <= this.#history.seenN;
  }
}

/** Whether something may still come of an entry that was not seen to settle: a close changes that. */
function isUnseen(last: HistoryRecord | undefined): boolean {
  const state = last?.value.state;
  return state === "waiting" || state === "sleeping" || state === "received";
}

/** The key of call number `index` of an address. `first`: that of its first call. */
function keyAt(first: string, index: number): string {
  return index === 0 ? first : `${first.slice(0, -1)}${index}`;
}
