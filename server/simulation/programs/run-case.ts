import type { Breakage } from "../breakage.js";
import { type Report, simulate } from "../world.js";
import { programCast } from "./cast.js";
import type { Case } from "./plans.js";

/** Runs a program in the simulated world of a seed, with everything that goes wrong there, and judges what came of it. */
export function runCase({ plan, seed }: Case, breakage?: Breakage, trace = false): Promise<Report> {
  return simulate(seed, { cast: programCast(plan), trace, ...(breakage && { breakage }) });
}
