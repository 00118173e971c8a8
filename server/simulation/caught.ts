import type { Breakage } from "./breakage.js";
import { simulate } from "./world.js";

/** The first seed in which a breakage shows, and how. Undefined when none of them shows it. */
export async function caughtWithin(
  breakage: Breakage,
  maxSeeds: number,
): Promise<{ readonly seed: number; readonly message: string } | undefined> {
  for (let seed = 1; seed <= maxSeeds; seed++) {
    const { violation } = await simulate(seed, { breakage });
    if (violation) return { seed, message: violation.message };
  }
  return undefined;
}
