import { readFileSync } from "node:fs";
import type { HistoryRecord, PushedRun } from "@aikirun/protocol";
import { type Execution, execute } from "@aikirun/workflow/replay";
import { describe, expect, it } from "vitest";
import { fixtureWorkflows } from "./fixture-workflows.js";
import { silent, stillHost, withoutStacks } from "./orchestrator.js";

interface Exchange {
  readonly name: string;
  readonly run: PushedRun;
  readonly steps: readonly { readonly answer?: Execution; readonly records: readonly HistoryRecord[] }[];
}
const file = new URL("../../protocol/fixtures/exchanges.json", import.meta.url);
const exchanges: readonly Exchange[] = JSON.parse(readFileSync(file, "utf8"));

describe("replay's half of the golden exchanges", () => {
  it.each(exchanges.map((exchange) => [exchange.name, exchange] as const))("%s", async (_name, { run, steps }) => {
    const workflow = fixtureWorkflows.find(({ name }) => name === run.workflow);
    if (!workflow) throw new Error(`no workflow ${run.workflow}`);
    const records: HistoryRecord[] = [];
    for (const step of steps) {
      if (step.answer) {
        const retries = records.filter(({ value }) => value.state === "retried").length;
        const attempt = { ...run, runAttempt: 1 + retries };
        const options = { workflow, run: attempt, records: [...records], host: stillHost, logger: silent };
        const answer = await execute(options);
        expect(withoutStacks(answer)).toEqual(step.answer);
      }
      records.push(...step.records);
    }
  });
});
