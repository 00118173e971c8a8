import fc from "fast-check";
import type { Breakage } from "../breakage.js";
import { type Case, cases } from "./plans.js";
import { runCase } from "./run-case.js";

/** Programs that are run against a breakage, the same for each. */
const SEED = 1;

/** How many programs it takes until a breakage shows, in which, and how. Undefined when none of them shows it. */
export async function caughtByPrograms(
  breakage: Breakage,
  most: number,
): Promise<{ readonly after: number; readonly program: Case; readonly message: string } | undefined> {
  for (const [i, program] of fc.sample(cases, { seed: SEED, numRuns: most }).entries()) {
    const { violation } = await runCase(program, breakage);
    if (violation) return { after: i + 1, program, message: violation.message };
  }
  return undefined;
}
