/** The database's clock, known from the answers of ordinary statements. */
import type { Instant } from "../../core/clock.js";

/** One statement that told the database's time: it did so after it was sent and before its answer was here. */
export interface Sample {
  /** Milliseconds since the epoch, by the database. */
  readonly clockMs: number;
  /** Monotonic milliseconds of this process. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

/** How far two clocks may run apart: 500 parts per million, the most that NTP slews. */
const DRIFT = 0.0005;
/** A sample this old gives way to any newer one, so that a step of the database's clock is noticed. */
const SAMPLE_AGE_MS = 10_000;

/** Never reads this machine's wall clock: only what the database said, and a monotonic count of what passed since. */
export class DatabaseClock {
  readonly #monotonic: () => number;
  #best: Sample | undefined;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  observe(sample: Sample): void {
    const best = this.#best;
    if (!best || this.#isBetter(sample, best)) this.#best = sample;
  }

  /** Throws when no statement has been answered yet. */
  now(): Instant {
    const best = this.#best;
    if (!best) throw new Error("The database's clock is not known before the first answer.");
    const { earliest, latest } = intervalAt(best, this.#monotonic());
    return { earliest: Math.floor(earliest), latest: Math.ceil(latest) };
  }

  #isBetter(sample: Sample, best: Sample): boolean {
    if (sample.receivedMs - best.receivedMs > SAMPLE_AGE_MS) return true;
    const old = intervalAt(best, sample.receivedMs);
    const fresh = intervalAt(sample, sample.receivedMs);
    // Disjoint: the database's clock was set, or it is another database now.
    if (fresh.earliest > old.latest || fresh.latest < old.earliest) return true;
    return fresh.latest - fresh.earliest <= old.latest - old.earliest;
  }
}

function intervalAt(sample: Sample, monotonicMs: number): Instant {
  const drift = (monotonicMs - sample.receivedMs) * DRIFT;
  return {
    earliest: sample.clockMs + (monotonicMs - sample.receivedMs) - drift,
    latest: sample.clockMs + (monotonicMs - sample.sentMs) + drift,
  };
}
