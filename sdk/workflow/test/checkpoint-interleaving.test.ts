/**
 * Random workflows whose invocations go on by checkpoints that are late, lost, refused, and bring news. However it goes,
 * what a handler saw live is what a replay of all that was recorded shows it, in the same order.
 */
import type { ServableVersion } from "@aikirun/workflow";
import type { Checkpoint } from "@aikirun/workflow/replay";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";
import { interpreter, plans, randomFrom } from "./random-workflows.js";

const RUNS = Number(process.env["AIKI_TEST_RUNS"] ?? 100);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Several things at once, each of several steps: what makes an invocation long. */
const step = plans(["sequence", "together", "race"]);
const lane = fc.record({ do: fc.constant("sequence" as const), parts: fc.array(step, { minLength: 2, maxLength: 5 }) });
const long = fc.record({
  do: fc.constantFrom("together" as const, "race" as const),
  parts: fc.array(lane, { minLength: 2, maxLength: 4 }),
});

interface Figures {
  checkpoints: number;
  news: number;
}

/** Runs to the end; the history grows by answers and by checkpoints, under one fence. */
async function play(version: ServableVersion, of: Orchestrator, seed: number, figures: Figures) {
  const random = randomFrom(seed);
  let committed = 0;
  const settleSome = (most: number): void => {
    for (let i = 0; i < most && random() < 0.6; i++) {
      const open = of.open();
      const key = open[Math.floor(random() * open.length)];
      if (key !== undefined) of.settle(key, random() < 0.3);
    }
  };
  for (let round = 0; round < 400; round++) {
    let seq = committed;
    let inFlight = 0;
    const checkpoint: Checkpoint = async (commands) => {
      const sent = JSON.stringify(commands);
      expect(++inFlight).toBe(1);
      while (random() < 0.6) await turn();
      inFlight--;
      expect(JSON.stringify(commands)).toBe(sent);
      if (random() < 0.04) return { type: "failed" };
      if (random() < 0.02) return { type: "unwanted" };
      const recorded = of.record(commands, () => settleSome(3));
      committed++;
      if (random() < 0.04) return { type: "failed" };
      seq = committed;
      figures.checkpoints++;
      figures.news += recorded.records.length;
      return { ...recorded, answer: random() < 0.05 };
    };
    const answer = await of.push({ checkpoint });
    if (answer.state === "diverged") throw new Error(`diverged: ${JSON.stringify(answer.divergence)}`);
    const counts = seq === committed && random() > 0.1;
    if (counts) of.commit(answer.commands);
    const end = of.end();
    if (end) return end;
    const mustSettle = counts && answer.state === "waiting";
    const [first] = of.open();
    if (mustSettle && first !== undefined) of.settle(first);
    else settleSome(1);
  }
  throw new Error(`no end of ${version.name}: ${JSON.stringify(of.records)}`);
}

describe("any order of results, news and acknowledgements", () => {
  it("shows a live handler what a replay of its history shows, and starts no task from what is not recorded", async () => {
    const figures: Figures = { checkpoints: 0, news: 0 };
    await fc.assert(
      fc.asyncProperty(long, fc.integer(), async (plan, seed) => {
        const outputs = (): Set<unknown> =>
          new Set(
            of.records.map(({ value }) => (value.state === "completed" && "output" in value ? value.output : "")),
          );
        const { version, executions, trace } = interpreter(plan, seed, {
          slow: 0.7,
          onStart(seen) {
            const recorded = outputs();
            for (const output of seen.match(/t[\d.]+@\d+/g) ?? []) expect(recorded).toContain(output);
          },
        });
        const of = new Orchestrator(version);
        for (const name of ["e0", "e1", "e2"]) of.mailbox.set(name, ["x", "y"]);
        const end = await play(version, of, seed, figures);
        for (const seen of executions.values()) expect(seen.size).toBe(1);
        const live = [...trace];

        const replayed = new Orchestrator(version);
        replayed.records.push(...of.records.slice(0, -1));
        const answer = await replayed.push();
        if (answer.state !== "diverged") replayed.commit(answer.commands);
        expect(replayed.end()).toEqual(end);
        // Those who lost a race may be shown to a handler that has ended: by one of the two, or by both.
        const shared = Math.min(live.length, trace.length);
        expect(trace.slice(0, shared)).toEqual(live.slice(0, shared));
      }),
      { numRuns: RUNS },
    );
    // Otherwise nothing of it was tested.
    expect(figures.checkpoints).toBeGreaterThan(RUNS);
    expect(figures.news).toBeGreaterThan(RUNS / 2);
    console.info(`${figures.checkpoints} checkpoints with ${figures.news} news`);
  });
});
