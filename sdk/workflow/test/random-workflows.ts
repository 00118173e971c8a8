/** Random workflows: plans, and the version that carries one out. */
import { event, type RunContext, task, workflow } from "@aikirun/workflow";
import fc from "fast-check";

export type Plan =
  | { readonly do: "task" | "flaky" | "sleep" | "event" | "child"; readonly id: number }
  | { readonly do: "sequence" | "together" | "race"; readonly parts: readonly Plan[] };

const LEAVES = ["task", "flaky", "sleep", "event", "child"] as const;
export const plans = (branching: readonly ("sequence" | "together" | "race")[]) =>
  fc.letrec<{ plan: Plan }>((tie) => ({
    plan: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.record({ do: fc.constantFrom(...LEAVES), id: fc.nat(2) }),
      fc.record({ do: fc.constantFrom(...branching), parts: fc.array(tie("plan"), { minLength: 1, maxLength: 4 }) }),
    ),
  })).plan;

export interface InterpreterOptions {
  /** Every execution of a task gives another value. */
  readonly numbered?: boolean;
  /** How probably a task takes a turn of the event loop, and after that another one. */
  readonly slow?: number;
  /** Told what a task that starts has seen. */
  readonly onStart?: (seen: string) => void;
}

/**
 * Interprets plans. Every task's input holds what the handler has seen before it, so a changed value shows as another
 * call. `trace` is what the handler saw in its last replay, in order.
 */
export function interpreter(plan: Plan, seed: number, options: InterpreterOptions = {}) {
  const { numbered = true, slow = 0.2, onStart } = options;
  let serial = 0;
  const random = randomFrom(~seed);
  /** Tasks of one push end in any order, several of them before the handler sees the first. */
  const aWhile = async (): Promise<void> => {
    for (let i = Math.floor(random() * 6); i > 0; i--) await null;
    while (random() < slow) await new Promise((resolve) => setImmediate(resolve));
  };
  const executions = new Map<string, Set<string>>();
  const trace: string[] = [];
  const work = task({
    name: "work",
    handler: async (input: { site: string; seen: string }, { idempotencyKey }) => {
      onStart?.(input.seen);
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
      trace.length = 0;
      const go = async (part: Plan, site: string, seen: string): Promise<string> => {
        const value = await carryOut(part, site, seen);
        trace.push(`${site}=${value}`);
        return value;
      };
      const carryOut = async (part: Plan, site: string, seen: string): Promise<string> => {
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
  return { version, executions, trace };
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
