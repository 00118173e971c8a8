/**
 * Random compositions of `Promise.all`, `race`, `any`, `allSettled` and `run.race` over durable calls, with `try`,
 * `catch` and `finally` around them. What they give is what plain promises give that settle in the order of the records,
 * whether the records come in one push or one by one.
 */
import type { HistoryRecord } from "@aikirun/protocol";
import { inputHash } from "@aikirun/protocol";
import { event, type RunContext, type RunPromise, type ServableVersion, task, workflow } from "@aikirun/workflow";
import type { Checkpoint } from "@aikirun/workflow/replay";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

const LEAVES = ["task", "failing", "sleep", "event", "timed", "child"] as const;
const BRANCHES = ["all", "race", "any", "allSettled", "run.race", "then", "caught"] as const;
type Leaf = (typeof LEAVES)[number];
type Plan = { readonly do: Leaf } | { readonly do: (typeof BRANCHES)[number]; readonly parts: readonly Plan[] };

const plans = fc.letrec<{ plan: Plan; leaf: Plan }>((tie) => ({
  leaf: fc.record({ do: fc.constantFrom(...LEAVES) }),
  plan: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie("leaf"),
    fc.record({ do: fc.constantFrom(...BRANCHES), parts: fc.array(tie("plan"), { minLength: 1, maxLength: 4 }) }),
  ),
})).plan;

/** The calls of one world: durable ones, or plain promises. Each leaf of a plan has a site of its own. */
interface World {
  call(kind: Leaf, site: string): Promise<string>;
  /** Settles as the first, and gives up the others. */
  race(runners: readonly Promise<string>[]): Promise<string>;
}

/** Runs a plan with the language's own combinators. */
async function go(plan: Plan, site: string, world: World): Promise<string> {
  if (!("parts" in plan)) return world.call(plan.do, site);
  const parts = () => plan.parts.map((part, i) => go(part, `${site}.${i}`, world));
  switch (plan.do) {
    case "all":
      return `all(${(await Promise.all(parts())).join()})`;
    case "race":
      return `race(${await Promise.race(parts())})`;
    case "any":
      return `any(${await Promise.any(parts())})`;
    case "allSettled":
      return `settled(${(await Promise.allSettled(parts())).map((one) => ("value" in one ? one.value : "!")).join()})`;
    case "run.race":
      // Of an async function's promise nobody knows what it waits for: only calls are raced so.
      return `first(${await world.race(plan.parts.map((part, i) => world.call(racing(part), `${site}.${i}`)))})`;
    case "then": {
      let all = "";
      for (const [i, part] of plan.parts.entries()) all += await go(part, `${site}.${i}`, world);
      return all;
    }
    case "caught":
      try {
        return (await Promise.all(parts())).join();
      } catch (error) {
        return `caught(${(error as Error).name}${await world.call("sleep", `${site}.catch`)})`;
      } finally {
        await world.call("task", `${site}.finally`);
      }
  }
}

function racing(part: Plan): Leaf {
  return "parts" in part || part.do === "child" ? "event" : part.do;
}

const outcomeOf = (plan: Plan, world: World): Promise<string> =>
  go(plan, "r", world).catch((error: Error) => `failed: ${error.name}`);

const work = task({ name: "work", handler: async (site: string) => `t${site}` });
const failing = task({
  name: "failing",
  async handler(_site: string) {
    throw new Error("no");
  },
});
const leaf = workflow({ name: "leaf" }).v("1", { handler: async (_run, _site: string) => {} });

function durable(plan: Plan): ServableVersion {
  return workflow({ name: "composed" }).v("1", {
    // One name for all: whichever wait is open and was called first gets the next event.
    events: { e: event<string>() },
    handler(run) {
      const call: World["call"] = (kind, site) => {
        switch (kind) {
          case "task":
            return work.start(run, site);
          case "failing":
            return failing.start(run, site).then(() => "never");
          case "sleep":
            return run.sleep(site, 1).then(({ cancelled }) => `s${site}${cancelled}`);
          case "event":
            return run.events.e.wait().then(({ data }) => `e${data}`);
          case "timed":
            return run.events.e.wait({ timeout: 1 }).then((got) => (got.timeout ? "e-" : `e${got.data}`));
          case "child":
            return child(run, site);
        }
      };
      return outcomeOf(plan, { call, race: (runners) => run.race(runners as RunPromise<string>[]) });
    },
  });
}

async function child(run: RunContext, site: string): Promise<string> {
  const handle = await leaf.startAsChild(run, site);
  return handle.waitForStatus("completed").then(({ success }) => `c${site}${success}`);
}

/**
 * The same plan over plain promises, each settled by its call's record, one record at a time. `givenUp`: keys of calls
 * that had not settled when their `run.race` did.
 */
async function plain(plan: Plan, records: readonly HistoryRecord[]): Promise<{ outcome: string; givenUp: string[] }> {
  const pending = new Map<string, { settle(record: HistoryRecord): void }>();
  const keys = new Map<Promise<string>, string>();
  const givenUp: string[] = [];
  let waits = 0;
  const call: World["call"] = (kind, site) => {
    const key = {
      task: `task:work:${inputHash(site)}#0`,
      failing: `task:failing:${inputHash(site)}#0`,
      sleep: `sleep:${site}#0`,
      event: `event:e#${waits}`,
      timed: `event:e#${waits}`,
      child: `wait:child:leaf:1:${inputHash(site)}#0/completed#0`,
    }[kind];
    if (kind === "event" || kind === "timed") waits++;
    const promise = new Promise<string>((resolve, reject) => {
      pending.set(key, {
        settle({ value }) {
          if (value.state === "failed") reject(Object.assign(new Error("no"), { name: "TaskFailedError" }));
          else if (kind === "sleep") resolve(`s${site}${value.state === "cancelled"}`);
          else if (kind === "child") resolve(`c${site}true`);
          else if (kind === "task") resolve(`t${site}`);
          else resolve(value.state === "received" ? `e${value.data}` : "e-");
        },
      });
    });
    if (kind !== "task" && kind !== "failing") keys.set(promise, key);
    return promise;
  };
  const race: World["race"] = (runners) => {
    const over = () => {
      for (const key of runners.map((runner) => keys.get(runner) ?? "")) if (pending.delete(key)) givenUp.push(key);
    };
    return Promise.race(runners).finally(over);
  };
  let outcome: string | undefined;
  void outcomeOf(plan, { call, race }).then((value) => {
    outcome = value;
  });
  for (const record of records) {
    await drained();
    if (["waiting", "sleeping", "started", "closed"].includes(record.value.state) || record.kind === "child") continue;
    pending.get(record.key)?.settle(record);
    pending.delete(record.key);
  }
  await drained();
  if (outcome === undefined) throw new Error(`plain promises do not end with ${JSON.stringify(records)}`);
  return { outcome, givenUp };
}

const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Plays a run to its end: up to `burst` things happen before each push, and with each checkpoint if there are any. */
async function play(
  plan: Plan,
  choices: () => number,
  burst: number,
  checkpoints: "checkpoints" | "none" = "none",
): Promise<Orchestrator> {
  const of = new Orchestrator(durable(plan));
  of.mailbox.set(
    "e",
    Array.from({ length: 400 }, (_, i) => `${i}`),
  );
  const happen = (): void => {
    for (let i = 0; i < burst; i++) {
      const open = of.open();
      const key = open[choices() % open.length];
      if (key !== undefined) of.settle(key, choices() % 3 === 0);
    }
  };
  const checkpoint: Checkpoint = async (commands) => {
    of.commit(commands);
    const from = of.records.length;
    if (choices() % 2 === 0) happen();
    return { type: "committed", records: of.records.slice(from), answer: choices() % 5 === 0 };
  };
  for (let round = 0; round < 400; round++) {
    const answer = await of.push(checkpoints === "none" ? {} : { checkpoint });
    if (answer.state === "diverged") throw new Error(`diverged: ${JSON.stringify(answer.divergence)}`);
    of.commit(answer.commands);
    if (of.end()) return of;
    happen();
  }
  throw new Error(`no end: ${JSON.stringify(of.records)}`);
}

/** Choices drawn from a seed (Lehmer's generator). */
function choicesFrom(seed: number): () => number {
  let state = (Math.abs(seed) % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  };
}

const bursts = fc.constantFrom(1, 1, 2, 5);
const checkpoints = fc.constantFrom("checkpoints" as const, "none" as const);
const RUNS = Number(process.env["AIKI_TEST_RUNS"] ?? 500);

describe("a composition of waits", () => {
  it("gives what plain promises give, however many of its records come in one push", async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer(), bursts, checkpoints, async (plan, seed, burst, checkpoint) => {
        const of = await play(plan, choicesFrom(seed), burst, checkpoint);
        const { outcome, givenUp } = await plain(plan, of.records.slice(0, -1));
        expect(of.end()).toEqual({ state: "completed", output: outcome });
        // Nothing that lost keeps its place in a queue, its timer, or an event that nobody saw.
        for (const key of givenUp)
          expect(of.state(key)?.value.state).toMatch(/^(closed|timedOut|completed|cancelled)$/);
      }),
      { numRuns: RUNS },
    );
  });

  it("gives the same in one go, and fits record by record", async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer(), bursts, checkpoints, async (plan, seed, burst, checkpoint) => {
        const of = await play(plan, choicesFrom(seed), burst, checkpoint);
        const records = of.records.slice(0, -1);
        const whole = new Orchestrator(of.workflow);
        whole.records.push(...records);
        expect(await whole.push()).toEqual({ state: "waiting", commands: [expect.objectContaining(runEnd(of))] });
        for (let length = 0; length < records.length; length++) {
          const piece = new Orchestrator(of.workflow);
          piece.records.push(...records.slice(0, length));
          expect(await piece.compare()).toEqual({ fits: true });
        }
      }),
      { numRuns: RUNS / 2 },
    );
  });
});

function runEnd(of: Orchestrator) {
  const end = of.end();
  return { type: "run.completed", output: end?.state === "completed" ? end.output : undefined };
}
