/** Claims, for polls that wait here, runs that were parked because nobody served them. */
import type { LoadedRun } from "../core/run.js";
import { StoreUnavailable } from "../store/port.js";
import type { Shared } from "./hold.js";

export interface FetcherOptions {
  readonly shared: Shared;
  /** How many more runs may be held. */
  readonly room: () => number;
  readonly accept: (run: LoadedRun) => void;
  readonly onError: (error: unknown, runId: string | undefined) => void;
}

export class Fetcher {
  readonly #options: FetcherOptions;
  #fetching: Promise<void> | undefined;
  #again = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Merged with calls around it. */
  fetch(): void {
    if (this.#options.shared.draining()) return;
    this.#again = true;
    this.#fetching ??= this.#fetchAll().finally(() => {
      this.#fetching = undefined;
      if (this.#again) this.fetch();
    });
  }

  /** Resolves when no claim is under way any more. */
  async settled(): Promise<void> {
    await this.#fetching;
  }

  async #fetchAll(): Promise<void> {
    const { shared, room: roomLeft, accept, onError } = this.#options;
    const { store, settings, desk } = shared;
    this.#again = false;
    for (const { room, ...unserved } of desk.open()) {
      const limit = Math.min(settings.claimBatch, room, roomLeft());
      if (limit <= 0) continue;
      try {
        const runs = await store.claim({ limit, leaseMs: settings.leaseMs, unserved });
        if (runs.length === limit && room > limit) this.#again = true;
        for (const run of runs) accept(run);
      } catch (error) {
        // The next scan asks again.
        if (!(error instanceof StoreUnavailable)) onError(error, undefined);
      }
    }
  }
}
