import { describe, expect, it, test } from "vitest";
import { BREAKAGES } from "../simulation/breakages.js";
import { caughtWithin } from "../simulation/caught.js";
import { simulate } from "../simulation/world.js";

const SEEDS = 5_000;
/** Each breakage shows within a few seeds, the slowest within a few hundred. */
const SEEDS_TO_CATCH = 1_000;

test(`${SEEDS} seeds: every promise holds after every statement, and every run ends`, {
  timeout: 300_000,
}, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violation } = await simulate(seed);
    if (violation)
      throw new Error(`seed ${seed}: again with npm run simulate -- --from ${seed} --count 1 --trace`, {
        cause: violation,
      });
  }
});

test("the same seed gives the same trace, another seed another one", async () => {
  const hashes = [];
  for (const seed of [11, 12, 11]) hashes.push((await simulate(seed)).traceHash);
  expect(hashes[2]).toBe(hashes[0]);
  expect(hashes[1]).not.toBe(hashes[0]);
});

describe("a broken rule is caught:", () => {
  it.each(BREAKAGES.map((breakage) => [breakage.name, breakage] as const))(
    "%s",
    { timeout: 120_000 },
    async (_, breakage) => {
      expect(await caughtWithin(breakage, SEEDS_TO_CATCH)).toBeDefined();
    },
  );
});
