/** Which endpoint holds how much of which run's history. A hint: a wrong one costs one `HISTORY_NEEDED`. */
import type { HistoryCursor } from "@aikirun/protocol";

/** Runs remembered; the one unused for longest is forgotten first. */
const MAX_RUNS = 10_000;
/**
 * Behind one URL there may be many instances, and a push that meets another one than its predecessor is sent twice.
 * A history of fewer records than this is sent whole for a while after a miss; of a longer one the hint is worth a miss.
 */
const SMALL_RECORDS = 256;
const MOST_WHOLE_PUSHES = 64;

interface Known {
  readonly endpointId: string;
  /** Where its copy ends; undefined when it has none. */
  readonly cursor: HistoryCursor | undefined;
  /** Misses since the last hit. */
  readonly misses: number;
  /** Pushes for which the hint is not used any more. */
  readonly wholePushes: number;
}

export class WarmRuns {
  readonly #runs = new Map<string, Known>();

  /** Where the endpoint's copy of this run ends, when it is worth relying on. */
  get(runId: string, endpointId: string, records: number): HistoryCursor | undefined {
    const known = this.#runs.get(runId);
    if (known?.endpointId !== endpointId) return undefined;
    return known.wholePushes > 0 && records < SMALL_RECORDS ? undefined : known.cursor;
  }

  /** The endpoint keeps what the last push said. `hit`: that push relied on an earlier copy. */
  keeps(runId: string, endpointId: string, cursor: HistoryCursor, hit: boolean): void {
    const known = this.#runs.get(runId);
    const misses = hit ? 0 : (known?.misses ?? 0);
    this.#set(runId, { endpointId, cursor, misses, wholePushes: Math.max(0, (known?.wholePushes ?? 0) - 1) });
  }

  /** The copy was not there. */
  missed(runId: string): void {
    const known = this.#runs.get(runId);
    if (!known) return;
    // The push that follows at once is the first of them.
    this.#set(runId, {
      ...known,
      cursor: undefined,
      misses: known.misses + 1,
      wholePushes: Math.min(2 ** known.misses, MOST_WHOLE_PUSHES),
    });
  }

  forget(runId: string): void {
    this.#runs.delete(runId);
  }

  #set(runId: string, known: Known): void {
    this.#runs.delete(runId);
    this.#runs.set(runId, known);
    if (this.#runs.size <= MAX_RUNS) return;
    for (const oldest of this.#runs.keys()) {
      this.#runs.delete(oldest);
      return;
    }
  }
}
