import { expect, test } from "vitest";
import { PROGRAM_BREAKAGES } from "../../simulation/programs/breakages.js";
import { caughtByPrograms } from "../../simulation/programs/caught.js";

/** Each breakage shows within a few hundred programs. */
const PROGRAMS_TO_CATCH = 1_000;

test.each(PROGRAM_BREAKAGES.map((breakage) => [breakage.name, breakage] as const))(
  "random programs catch a broken rule: %s",
  { timeout: 120_000 },
  async (_, breakage) => {
    expect(await caughtByPrograms(breakage, PROGRAMS_TO_CATCH)).toBeDefined();
  },
);
