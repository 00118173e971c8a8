/** What one isolate has seen of runs: collected by all that lives in it, written down by whoever comes by with a store. */
import { Observation, type ObservationStore } from "../../dispatch/observation.js";
import type { Observer } from "../../dispatch/observer.js";
import { type Store, StoreUnavailable } from "../../store/port.js";

const EVERY_MS = 10_000;

export class Observing implements Observer {
  readonly #now: ObservationStore["now"];
  #collected: { readonly observation: Observation; store: Store | undefined };
  #flushedAt = Number.NEGATIVE_INFINITY;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(now: ObservationStore["now"]) {
    this.#now = now;
    this.#collected = this.#collect();
  }

  started: Observer["started"] = (...seen) => this.#collected.observation.started(...seen);
  ended: Observer["ended"] = (...seen) => this.#collected.observation.ended(...seen);
  firstPushed: Observer["firstPushed"] = (...seen) => this.#collected.observation.firstPushed(...seen);
  pushed: Observer["pushed"] = (...seen) => this.#collected.observation.pushed(...seen);
  noted: Observer["noted"] = (...seen) => this.#collected.observation.noted(...seen);

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
    const full = this.#collected;
    this.#collected = this.#collect();
    try {
      full.store = await openStore();
      await full.observation.flushPushes();
      await full.observation.flushCounts();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    } finally {
      await full.store?.close();
    }
  }

  #collect(): { readonly observation: Observation; store: Store | undefined } {
    const store = (): Store => {
      if (!collected.store) throw new StoreUnavailable("Nobody writes this down just now.");
      return collected.store;
    };
    const collected: { readonly observation: Observation; store: Store | undefined } = {
      store: undefined,
      observation: new Observation({
        now: this.#now,
        notePushes: async (pushes) => store().notePushes(pushes),
        addMinutes: async (minutes, endpoints) => store().addMinutes(minutes, endpoints),
        countDue: async (most) => store().countDue(most),
      }),
    };
    return collected;
  }
}
