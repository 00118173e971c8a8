/** What one isolate has seen of runs: collected by all that lives in it, written down by whoever comes by with a store. */
import { Observation } from "../../dispatch/observation.js";
import type { Observer } from "../../dispatch/observer.js";
import { type Store, StoreUnavailable } from "../../store/port.js";

const EVERY_MS = 10_000;
/** What waits while the store is away: so many spans of ten seconds. The oldest are forgotten first. */
const MOST_UNWRITTEN = 30;

export class Observing implements Observer {
  readonly #now: () => number;
  #observation: Observation;
  #unwritten: Observation[] = [];
  #flushedAt = Number.NEGATIVE_INFINITY;
  #dueAt = Number.NEGATIVE_INFINITY;

  /** `now` is the database's clock. */
  constructor(now: () => number) {
    this.#now = now;
    this.#observation = new Observation(now);
  }

  started: Observer["started"] = (...seen) => this.#observation.started(...seen);
  ended: Observer["ended"] = (...seen) => this.#observation.ended(...seen);
  firstPushed: Observer["firstPushed"] = (...seen) => this.#observation.firstPushed(...seen);
  pushed: Observer["pushed"] = (...seen) => this.#observation.pushed(...seen);
  noted: Observer["noted"] = (...seen) => this.#observation.noted(...seen);

  /** Writes it down, now or in a moment, unless somebody else of this isolate does. */
  flushSoon(openStore: () => Promise<Store>, defer: (work: Promise<unknown>) => void): void {
    const now = performance.now();
    if (this.#dueAt > now) return;
    const waitMs = Math.max(0, this.#flushedAt + EVERY_MS - now);
    this.#dueAt = now + waitMs;
    defer(this.#flushAfter(waitMs, openStore));
  }

  async #flushAfter(waitMs: number, openStore: () => Promise<Store>): Promise<void> {
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    this.#flushedAt = performance.now();
    // Whoever writes may be put away in the middle of it: nobody else waits for that.
    const writing = [...this.#unwritten, this.#observation];
    this.#unwritten = [];
    this.#observation = new Observation(this.#now);
    try {
      const store = await openStore();
      try {
        await writeEach(writing, store);
      } finally {
        await store.close();
      }
    } catch (error) {
      this.#unwritten = [...writing, ...this.#unwritten].slice(-MOST_UNWRITTEN);
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}

/** Takes from `observations` what is written. */
async function writeEach(observations: Observation[], store: Store): Promise<void> {
  for (let next = observations[0]; next; next = observations[0]) {
    await next.flushPushes(store);
    await next.flushCounts(store);
    observations.shift();
  }
}
