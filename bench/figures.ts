/** Numbers from samples. */

/** How long a request is given to arrive before what is measured begins. */
export const SETTLE_MS = 10;

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

/** The median of what was counted in whole units, found inside of its unit: the middle one of those that fell into it. */
export function medianOfWhole(samples: readonly number[]): number {
  const middle = median(samples);
  const below = samples.filter((sample) => sample < middle).length;
  const equal = samples.filter((sample) => sample === middle).length;
  return middle - 0.5 + (samples.length / 2 - below) / equal;
}

/** The nearest-rank percentile. */
export function percentile(samples: readonly number[], rank: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const index = Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1);
  return sorted[index] ?? Number.NaN;
}

export async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Calls `work` for 0 … count-1, `width` at a time. */
export async function concurrently(
  count: number,
  width: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
