import { type RecordedRun, replayHistory, testAiki } from "@aikirun/testing";
import { describe, expect, it } from "vitest";
import { type Scenario, scenarios } from "./scenarios.js";

async function played({ workflows, tasks, options, play }: Scenario, checkpoints: boolean): Promise<RecordedRun[]> {
  const aiki = testAiki({ ...options, workflows, ...(tasks && { tasks }), checkpoints });
  await play(aiki);
  await aiki.settle();
  const runs = await Promise.all(workflows.map((version) => aiki.runs(version as Parameters<typeof aiki.runs>[0])));
  return Promise.all(runs.flat().map((run) => run.history()));
}

describe.each(scenarios)("$name", (scenario) => {
  it("comes to its end", async () => {
    const [first] = await played(scenario, true);
    expect(first?.run).toMatchObject({ status: "completed", output: scenario.output });
  });

  it("records the same step by step as with checkpoints, and the same the next time", async () => {
    const recorded = await played(scenario, true);
    const stepByStep = await played(scenario, false);
    if (scenario.recordsLater) expect(stepByStep.map(withoutInstants)).toEqual(recorded.map(withoutInstants));
    else expect(stepByStep).toEqual(recorded);
    expect(await played(scenario, true)).toEqual(recorded);
  });

  it("leaves a history that fits", async () => {
    for (const recorded of await played(scenario, true)) {
      const version = scenario.workflows.find(({ name }) => name === recorded.run.workflow);
      expect(await replayHistory(version as (typeof scenario.workflows)[number], recorded)).toEqual({ fits: true });
    }
  });
});

function withoutInstants(recorded: RecordedRun): unknown {
  return JSON.parse(JSON.stringify(recorded), (key, value) =>
    /(At|^at)$/.test(key) && typeof value === "number" ? undefined : value,
  );
}
