/** Which endpoint holds how much of which run's history. A hint: a wrong one costs one `HISTORY_NEEDED`. */
import type { HistoryCursor } from "@aikirun/protocol";
import type { Warmth } from "./delivery.js";

/** Runs remembered; the one unused for longest is forgotten first. */
const MAX_RUNS = 10_000;

export class WarmRuns {
  readonly #runs = new Map<string, Warmth>();

  /** Where the endpoint's copy of this run ends. */
  get(runId: string, endpointId: string): HistoryCursor | undefined {
    const warmth = this.#runs.get(runId);
    return warmth?.endpointId === endpointId ? warmth.cursor : undefined;
  }

  set(runId: string, warmth: Warmth): void {
    this.#runs.delete(runId);
    this.#runs.set(runId, warmth);
    if (this.#runs.size <= MAX_RUNS) return;
    for (const oldest of this.#runs.keys()) {
      this.#runs.delete(oldest);
      return;
    }
  }

  forget(runId: string): void {
    this.#runs.delete(runId);
  }
}
