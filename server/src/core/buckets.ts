/** Durations, counted in buckets: what many processes count can be added up, and percentiles read off the sum. Pure. */

/** Upper bounds in milliseconds, each about half as much again as the one before. The last bucket has no bound. */
export const BUCKETS_MS: readonly number[] = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000,
  15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 900_000,
];

/** In a database these are for ever: a bound that is to change needs a column of its own. */
export const BUCKET_COUNT = BUCKETS_MS.length + 1;

export interface Durations {
  readonly sumMs: number;
  /** How many in each bucket. */
  readonly buckets: readonly number[];
}

export const NO_DURATIONS: Durations = { sumMs: 0, buckets: new Array<number>(BUCKET_COUNT).fill(0) };

export function withDuration({ sumMs, buckets }: Durations, ms: number): Durations {
  const place = BUCKETS_MS.findIndex((bound) => ms <= bound);
  return { sumMs: sumMs + Math.round(ms), buckets: buckets.with(place, (buckets.at(place) ?? 0) + 1) };
}

export function addDurations(a: Durations, b: Durations): Durations {
  return { sumMs: a.sumMs + b.sumMs, buckets: a.buckets.map((count, i) => count + (b.buckets[i] ?? 0)) };
}

export function countOf({ buckets }: Durations): number {
  return buckets.reduce((sum, count) => sum + count, 0);
}

/** The duration that `part` (between 0 and 1) of them do not exceed: as if those of one bucket lay evenly in it. */
export function percentile({ buckets }: Durations, part: number): number {
  const wanted = part * buckets.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [i, count] of buckets.entries()) {
    if (count > 0 && below + count >= wanted) {
      const from = BUCKETS_MS[i - 1] ?? 0;
      const to = BUCKETS_MS[i] ?? from;
      return from + ((to - from) * Math.max(0, wanted - below)) / count;
    }
    below += count;
  }
  return 0;
}
