import { expect, test } from "vitest";
import { MAX_DELAY_MS, parseRetryAfter, retryDelayMs } from "../src/retry.js";

test("delays double, are capped, and are lowered by at most half", () => {
  expect([1, 2, 3, 4].map((attempt) => retryDelayMs(attempt, undefined, 0))).toEqual([250, 500, 1000, 2000]);
  expect(retryDelayMs(50, undefined, 0)).toBe(MAX_DELAY_MS);
  expect(retryDelayMs(3, undefined, 0.999)).toBeGreaterThanOrEqual(500);
  expect(retryDelayMs(1, 3_000, 0)).toBe(3_000);
});

test("Retry-After is seconds or a date", () => {
  expect(parseRetryAfter("7", 0)).toBe(7_000);
  expect(parseRetryAfter("Thu, 01 Jan 1970 00:00:10 GMT", 4_000)).toBe(6_000);
  expect(parseRetryAfter("soon", 0)).toBeUndefined();
  expect(parseRetryAfter(undefined, 0)).toBeUndefined();
});
