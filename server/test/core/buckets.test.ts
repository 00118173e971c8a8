import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDurations,
  BUCKET_COUNT,
  BUCKETS_MS,
  countOf,
  NO_DURATIONS,
  percentile,
  withDuration,
} from "../../src/core/buckets.js";

const counted = (all: readonly number[]) => all.reduce(withDuration, NO_DURATIONS);

describe("durations in buckets", () => {
  it("have percentiles that are right within one bucket, and are added up exactly", () => {
    const duration = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1 }),
        fc.array(duration),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (a, b, part) => {
          const sum = addDurations(counted(a), counted(b));
          const all = [...a, ...b].sort((x, y) => x - y);
          expect(sum).toEqual(counted(all));
          expect([countOf(sum), sum.sumMs]).toEqual([all.length, all.reduce((x, y) => x + y, 0)]);
          const exact = all[Math.max(0, Math.ceil(part * all.length) - 1)] as number;
          const place = BUCKETS_MS.findIndex((bound) => exact <= bound);
          const [from, to] =
            place < 0 ? [BUCKETS_MS.at(-1), BUCKETS_MS.at(-1)] : [BUCKETS_MS[place - 1] ?? 0, BUCKETS_MS[place]];
          expect(percentile(sum, part)).toBeGreaterThanOrEqual(from as number);
          expect(percentile(sum, part)).toBeLessThanOrEqual(to as number);
        },
      ),
    );
  });

  it("has a bucket for what is longer than all bounds, and nothing for nothing", () => {
    const long = counted([BUCKETS_MS.at(-1) as number, 10_000_000]);
    expect(long.buckets.slice(-2)).toEqual([1, 1]);
    expect(long.buckets).toHaveLength(BUCKET_COUNT);
    expect(percentile(NO_DURATIONS, 0.5)).toBe(0);
  });
});
