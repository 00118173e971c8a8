/**
 * Random workflows under random orders of what the orchestrator settles, with answers lost on the way. However it
 * goes, no call site may see two values, replays of one history must agree, and without races the result is that of
 * plain code.
 */
import type { ServableVersion } from "@aikirun/workflow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";
import { interpreter, type Plan, plans, randomFrom } from "./random-workflows.js";

/** Runs to the end under one order of things. */
async function play(version: ServableVersion, seed: number, cancels = true) {
  const random = randomFrom(seed);
  const of = new Orchestrator(version);
  for (const name of ["e0", "e1", "e2"]) of.mailbox.set(name, ["x", "y"]);
  for (let round = 0; round < 400; round++) {
    const answer = await of.push();
    if (answer.state === "diverged") throw new Error(`diverged: ${JSON.stringify(answer.divergence)}`);
    expect(await of.compare()).toEqual({ fits: true });
    // A lost answer: the orchestrator pushes the same history again, perhaps after something else happened.
    const lost = random() < 0.15;
    if (!lost) of.commit(answer.commands);
    const end = of.end();
    if (end) return { end, of };
    const open = of.open();
    if (open.length > 0 && (answer.state === "waiting" || lost || random() < 0.5)) {
      of.settle(open[Math.floor(random() * open.length)] as string, cancels && random() < 0.3);
    }
  }
  throw new Error(`no end: ${JSON.stringify(of.records)}`);
}

const seeds = fc.integer();
const RUNS = Number(process.env["AIKI_TEST_RUNS"] ?? 400);

describe("any order of results and lost answers", () => {
  it("gives every call site one value, and every replay of a history the same commands", async () => {
    await fc.assert(
      fc.asyncProperty(plans(["sequence", "together", "race"]), seeds, async (plan, seed) => {
        const { version, executions } = interpreter(plan, seed);
        const { of } = await play(version, seed);
        for (const seen of executions.values()) expect(seen.size).toBe(1);
        const unended = of.records.slice(0, -1);
        for (let length = 0; length <= unended.length; length += 3) {
          const half = new Orchestrator(version);
          half.records.push(...unended.slice(0, length));
          // Nobody waits for the answer, so that no task runs: these are the calls that history does not know.
          const abandoned = { signal: AbortSignal.abort() };
          const [once, twice] = [await half.push(abandoned), await half.push(abandoned)];
          expect(JSON.stringify(twice)).toBe(JSON.stringify(once));
          expect(await half.compare()).toEqual({ fits: true });
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("replays an ended run's history to the same end", async () => {
    await fc.assert(
      fc.asyncProperty(plans(["sequence", "together", "race"]), seeds, async (plan, seed) => {
        const { version } = interpreter(plan, seed);
        const { end, of } = await play(version, seed);
        const replayed = new Orchestrator(version);
        replayed.records.push(...of.records.slice(0, -1));
        for (let i = 0; i < 5 && !replayed.end(); i++) {
          const answer = await replayed.push();
          if (answer.state !== "diverged") replayed.commit(answer.commands);
        }
        expect(replayed.end()).toEqual(end);
      }),
      { numRuns: RUNS },
    );
  });

  it("is what plain code computes when nothing races", async () => {
    const plain = (plan: Plan, site: string): string => {
      if ("parts" in plan) return plan.parts.map((part, i) => plain(part, `${site}.${i}`)).join("");
      return { task: `t${site}`, flaky: `f${site}`, sleep: "sfalse", event: "", child: "ctrue" }[plan.do];
    };
    const withoutEvents = plans(["sequence", "together"]).filter((plan) => !JSON.stringify(plan).includes("event"));
    await fc.assert(
      fc.asyncProperty(withoutEvents, seeds, async (plan, seed) => {
        const { end } = await play(interpreter(plan, seed, { numbered: false }).version, seed, false);
        expect(end).toEqual({ state: "completed", output: plain(plan, "0") });
      }),
      { numRuns: RUNS },
    );
  });
});
