/**
 * Random workflows under random orders of what the orchestrator settles, with answers lost on the way. However it
 * goes, no call site may see two values, replays of one history must agree, and without races the result is that of
 * plain code.
 */
import { event, type RunContext, type ServableVersion, task, workflow } from "@aikirun/workflow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

type Plan =
  | { readonly do: "task" | "flaky" | "sleep" | "event" | "child"; readonly id: number }
  | { readonly do: "sequence" | "together" | "race"; readonly parts: readonly Plan[] };

const LEAVES = ["task", "flaky", "sleep", "event", "child"] as const;
const plans = (branching: readonly ("sequence" | "together" | "race")[]) =>
  fc.letrec<{ plan: Plan }>((tie) => ({
    plan: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.record({ do: fc.constantFrom(...LEAVES), id: fc.nat(2) }),
      fc.record({ do: fc.constantFrom(...branching), parts: fc.array(tie("plan"), { minLength: 1, maxLength: 4 }) }),
    ),
  })).plan;

/** Interprets plans. Every task's input holds what the handler has seen before it, so a changed value shows as another call. */
function interpreter(plan: Plan, seed: number, numbered = true) {
  let serial = 0;
  const random = randomFrom(~seed);
  /** Tasks of one push end in any order, several of them before the handler sees the first. */
  const aWhile = async (): Promise<void> => {
    for (let i = Math.floor(random() * 6); i > 0; i--) await null;
    if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
  };
  const executions = new Map<string, Set<string>>();
  const work = task({
    name: "work",
    handler: async (input: { site: string; seen: string }, { idempotencyKey }) => {
      await aWhile();
      const seen = executions.get(input.site) ?? new Set();
      executions.set(input.site, seen.add(`${input.seen} ${idempotencyKey}`));
      // Another execution gives another value: the one of a lost answer must have left no trace.
      return numbered ? `t${input.site}@${++serial}` : `t${input.site}`;
    },
  });
  const flaky = task({
    name: "flaky",
    retry: { type: "fixed", maxAttempts: 2, delayMs: 1 },
    handler: async (site: string, { attempt }) => {
      if (attempt === 1) throw new Error("once");
      return `f${site}`;
    },
  });
  const leaf = workflow({ name: "leaf" }).v("1", { handler: async (_run, _id: number) => "" });
  const events = { e0: event<string>(), e1: event<string>(), e2: event<string>() };
  const version = workflow({ name: "random" }).v("1", {
    async handler(run) {
      const go = async (part: Plan, site: string, seen: string): Promise<string> => {
        switch (part.do) {
          case "task":
            return work.start(run, { site, seen });
          case "flaky":
            return flaky.start(run, site);
          case "sleep":
            return run.sleep(`s${part.id}`, 10).then(({ cancelled }) => `s${cancelled}`);
          case "event": {
            const waiter = run.events[`e${part.id}` as "e0"];
            const outcome = await waiter.wait({ timeout: 10 });
            return outcome.timeout ? "e-" : `e${outcome.data}`;
          }
          case "child":
            return child(run, part.id);
          case "sequence": {
            let all = seen;
            for (const [i, next] of part.parts.entries()) all += await go(next, `${site}.${i}`, all);
            return all.slice(seen.length);
          }
          case "together":
            return (await Promise.all(part.parts.map((next, i) => go(next, `${site}.${i}`, seen)))).join("");
          case "race":
            return Promise.race(part.parts.map((next, i) => go(next, `${site}.${i}`, seen)));
        }
      };
      return go(plan, "0", "");
    },
    events,
  });
  const child = async (run: RunContext, id: number): Promise<string> => {
    const handle = await leaf.startAsChild(run, id);
    const result = await handle.waitForStatus("completed");
    return `c${result.success}`;
  };
  return { version, executions };
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

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
        const { end } = await play(interpreter(plan, seed, false).version, seed, false);
        expect(end).toEqual({ state: "completed", output: plain(plan, "0") });
      }),
      { numRuns: RUNS },
    );
  });
});
