import { expect, it } from "vitest";
import { DatabaseClock } from "../../../src/store/postgres/clock.js";

function clockAt(): { clock: DatabaseClock; at: { ms: number } } {
  const at = { ms: 0 };
  return { clock: new DatabaseClock(() => at.ms), at };
}

it("is unknown before the first answer", () => {
  expect(() => clockAt().clock.now()).toThrow("not known");
});

it("knows the time up to the round trip", () => {
  const { clock, at } = clockAt();
  at.ms = 30;
  clock.observe({ clockMs: 5_000, sentMs: 10, receivedMs: 30 });
  expect(clock.now()).toEqual({ earliest: 5_000, latest: 5_020 });
  at.ms = 130;
  // A hundred milliseconds later, and a little for clocks that run apart.
  expect(clock.now()).toEqual({ earliest: 5_099, latest: 5_121 });
});

it("keeps the tightest sample, and widens it with time", () => {
  const { clock, at } = clockAt();
  clock.observe({ clockMs: 5_000, sentMs: 0, receivedMs: 2 });
  clock.observe({ clockMs: 5_100, sentMs: 90, receivedMs: 120 });
  at.ms = 120;
  const { earliest, latest } = clock.now();
  expect(latest - earliest).toBeLessThanOrEqual(4);
  // The wide sample is better than what an hour has made of the tight one.
  clock.observe({ clockMs: 3_605_000, sentMs: 3_600_000, receivedMs: 3_600_030 });
  at.ms = 3_600_030;
  expect(clock.now()).toEqual({ earliest: 3_605_000, latest: 3_605_030 });
});

it("always holds the true time, with clocks that run apart and answers that are late", () => {
  const { clock, at } = clockAt();
  const trueTime = (ms: number) => 1_000_000 + ms * 1.0003;
  let ms = 0;
  for (let i = 0; i < 2_000; i++) {
    const sentMs = ms;
    const there = sentMs + ((i * 7) % 13);
    const receivedMs = there + ((i * 11) % 17);
    ms = receivedMs + ((i * 31) % 300);
    clock.observe({ clockMs: trueTime(there), sentMs, receivedMs });
    at.ms = ms;
    const { earliest, latest } = clock.now();
    expect(earliest).toBeLessThanOrEqual(trueTime(ms));
    expect(latest).toBeGreaterThanOrEqual(trueTime(ms));
  }
});

it("follows a database whose clock was set", () => {
  const { clock, at } = clockAt();
  clock.observe({ clockMs: 5_000, sentMs: 0, receivedMs: 1 });
  at.ms = 100;
  clock.observe({ clockMs: 900_000, sentMs: 90, receivedMs: 100 });
  expect(clock.now()).toEqual({ earliest: 900_000, latest: 900_010 });
  clock.observe({ clockMs: 5_200, sentMs: 90, receivedMs: 100 });
  expect(clock.now()).toEqual({ earliest: 5_200, latest: 5_210 });
});
