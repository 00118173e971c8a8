/**
 * Where the histories of parked runs ended when this process last hashed them, so that a run which is taken up again
 * is not hashed from its beginning. A history only grows; after a restore its epoch is another one.
 */
import type { HistoryCursor } from "@aikirun/protocol";

/** Runs remembered; the one unused for longest is forgotten first. */
const MAX_RUNS = 10_000;

export class Heads {
  readonly #heads = new Map<string, { readonly epoch: number; readonly head: HistoryCursor }>();

  /** Undefined when nothing is known of it, or more than there is. */
  get(runId: string, epoch: number, records: number): HistoryCursor | undefined {
    const known = this.#heads.get(runId);
    return known?.epoch === epoch && known.head.n <= records ? known.head : undefined;
  }

  set(runId: string, epoch: number, head: HistoryCursor): void {
    this.#heads.delete(runId);
    this.#heads.set(runId, { epoch, head });
    if (this.#heads.size <= MAX_RUNS) return;
    for (const oldest of this.#heads.keys()) {
      this.#heads.delete(oldest);
      return;
    }
  }

  forget(runId: string): void {
    this.#heads.delete(runId);
  }
}
