import fc from "fast-check";
import { cases } from "../../simulation/programs/plans.js";
import { runCase } from "../../simulation/programs/run-case.js";

/** Random programs on the memory store, in virtual time, with every fault of the simulation. */
export async function programsEndAsPlainly(seed: number, numRuns: number): Promise<void> {
  const property = fc.asyncProperty(cases, async (one) => {
    const { violation } = await runCase(one);
    if (violation) throw violation;
  });
  const details = await fc.check(property, { seed, numRuns });
  if (!details.failed) return;
  throw new Error(
    `${await fc.asyncDefaultReportMessage(details)}\n` +
      `Again: npm run simulate:programs -- --seed ${seed} --path ${details.counterexamplePath} --trace`,
    { cause: details.errorInstance },
  );
}
