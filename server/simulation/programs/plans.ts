/** What fast-check makes programs of. */
import fc from "fast-check";
import { COMBINATORS, EVENT_NAMES, type Leaf, MAX_ATTEMPTS, type Plan } from "./program.js";

const MOST_PARTS = 3;

const ms = fc.integer({ min: 1, max: 60 });
const name = fc.constantFrom(...EVENT_NAMES);
const mostly = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const leaves: fc.Arbitrary<Leaf> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("task" as const), fails: fails() }) },
  { weight: 2, arbitrary: fc.constant({ do: "twin" as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("sleep" as const), ms }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("event" as const), name, timeoutMs: mostly(ms) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stopped" as const), name, ms }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("patience" as const), ms }) },
);

function fails(): fc.Arbitrary<number> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(MAX_ATTEMPTS) });
}

const some = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.array(arbitrary, { minLength: 1, maxLength: MOST_PARTS, size: "max" });

export const plans: fc.Arbitrary<Plan> = fc.letrec<{ program: Plan; plan: Plan; combined: Plan }>((tie) => ({
  program: fc.oneof(
    { withCrossShrink: true },
    { weight: 1, arbitrary: tie("plan") },
    { weight: 4, arbitrary: tie("combined") },
  ),
  plan: fc.oneof(
    { maxDepth: 3, depthSize: "max", withCrossShrink: true },
    { weight: 3, arbitrary: leaves },
    { weight: 6, arbitrary: tie("combined") },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("first" as const), parts: some(leaves) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("child" as const),
        body: tie("plan"),
        laterMs: mostly(ms),
        timeoutMs: mostly(ms),
      }),
    },
  ),
  combined: fc.record({ do: fc.constantFrom("sequence" as const, ...COMBINATORS), parts: some(tie("plan")) }),
})).program;

/** A program, and the seed of the world that it is run in. */
export const cases = fc.record({ plan: plans, seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }) });
export interface Case {
  readonly plan: Plan;
  readonly seed: number;
}
