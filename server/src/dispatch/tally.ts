/**
 * What this process has counted since it last wrote it down: by namespace and minute, and pushes by endpoint too. Nothing
 * on the way of a run waits for this.
 */
import type { TerminalStatus } from "@aikirun/protocol";
import { NO_DURATIONS, withDuration } from "../core/buckets.js";
import type { EndpointMinute, Minute, StatsStore } from "../store/port.js";
import type { Observer } from "./observer.js";

const MINUTE_MS = 60_000;
/** What waits while the store is away: so many flushes. The oldest are forgotten first. */
const MOST_BATCHES = 100;
/** Endpoints counted one by one; the pushes of further ones count for their namespace only. */
const MOST_ENDPOINTS = 1_000;
/** Up to where runs that are due are counted. */
const MOST_DUE = 100_000;

type Counting<Row> = { -readonly [Name in keyof Row]: Row[Name] };

export type TallyStore = Pick<StatsStore, "addMinutes" | "countDue">;

export class Tally implements Omit<Observer, "noted"> {
  /** The database's clock. */
  readonly #now: () => number;
  #minutes = new Map<string, Counting<Minute>>();
  #endpoints = new Map<string, Counting<EndpointMinute>>();
  #flushing: Promise<void> | undefined;
  #batches: [Minute[], EndpointMinute[]][] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  started(ns: string, runs: number): void {
    this.#minute(ns).started += runs;
  }

  ended(ns: string, status: TerminalStatus): void {
    this.#minute(ns)[status] += 1;
  }

  firstPushed(ns: string, afterMs: number): void {
    const minute = this.#minute(ns);
    minute.starts = withDuration(minute.starts, afterMs);
  }

  pushed(ns: string, endpointId: string, failed: boolean, durationMs: number): void {
    for (const row of [this.#minute(ns), this.#endpoint(ns, endpointId)]) {
      if (!row) continue;
      row.pushed = withDuration(row.pushed, durationMs);
      if (failed) row.pushesFailed += 1;
    }
  }

  /** Looks how much is due, and writes all down. Throws `StoreUnavailable`: what was counted is kept for the next time. */
  flush(store: TallyStore): Promise<void> {
    this.#flushing ??= this.#flush(store).finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(store: TallyStore): Promise<void> {
    for (const { ns, due } of await store.countDue(MOST_DUE)) {
      const minute = this.#minute(ns);
      minute.backlog = Math.max(minute.backlog, due);
    }
    if (this.#minutes.size > 0) this.#batches.push([[...this.#minutes.values()], [...this.#endpoints.values()]]);
    this.#batches = this.#batches.slice(-MOST_BATCHES);
    this.#minutes = new Map();
    this.#endpoints = new Map();
    for (let batch = this.#batches[0]; batch; batch = this.#batches[0]) {
      await store.addMinutes(...batch);
      this.#batches.shift();
    }
  }

  #minute(ns: string): Counting<Minute> {
    const at = this.#at();
    const key = `${ns}/${at}`;
    const none = { ns, at, started: 0, completed: 0, failed: 0, cancelled: 0, backlog: 0, starts: NO_DURATIONS };
    const row = this.#minutes.get(key) ?? { ...none, pushesFailed: 0, pushed: NO_DURATIONS };
    this.#minutes.set(key, row);
    return row;
  }

  #endpoint(ns: string, endpointId: string): Counting<EndpointMinute> | undefined {
    const at = this.#at();
    const key = `${ns}/${endpointId}/${at}`;
    const known = this.#endpoints.get(key);
    if (known || this.#endpoints.size >= MOST_ENDPOINTS) return known;
    const row = { ns, endpointId, at, pushesFailed: 0, pushed: NO_DURATIONS };
    this.#endpoints.set(key, row);
    return row;
  }

  #at(): number {
    return Math.floor(this.#now() / MINUTE_MS) * MINUTE_MS;
  }
}
