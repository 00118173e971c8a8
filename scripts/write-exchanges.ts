/**
 * Writes `sdk/protocol/fixtures/exchanges.json`: whole runs, step by step, as replay and core carry them out today.
 * Run it only when the protocol changes on purpose, and read the difference: `npx tsx scripts/write-exchanges.ts`.
 */
import { writeFileSync } from "node:fs";
import type { JsonValue } from "@aikirun/protocol";
import { execute } from "@aikirun/workflow/replay";
import { fixtureWorkflows } from "../sdk/workflow/test/fixture-workflows.js";
import { pushedRun, silent, stillHost, withoutStacks } from "../sdk/workflow/test/orchestrator.js";
import { decide, settle } from "../server/src/core/decide.js";
import type { Mail, MessageBody } from "../server/src/core/run.js";
import { type RunState, stateOf } from "../server/src/core/state.js";
import { factsOf } from "../server/test/core/exchange-facts.js";

interface Scenario {
  readonly name: string;
  readonly workflow: string;
  readonly input?: JsonValue;
  /** Messages that the commits read, one commit after the other; absent: none. */
  readonly mail: readonly (readonly ((state: RunState) => MessageBody)[])[];
}

const started = (state: RunState): string =>
  [...state.entries.values()].find(({ kind }) => kind === "child")?.key ?? "";
const delivered = (): MessageBody => ({ kind: "event", name: "delivered", data: { signedBy: "Ada" } });
const stop = (): MessageBody => ({ kind: "event", name: "stop", data: undefined });
const approved = (): MessageBody => ({ kind: "event", name: "approved", data: { by: "Ada" } });
const childEnds = (state: RunState): MessageBody => ({
  kind: "child",
  key: started(state),
  status: "completed",
  output: "Ada",
  error: undefined,
});

const scenarios: readonly Scenario[] = [
  {
    name: "an order that is delivered in time",
    workflow: "order",
    input: { cents: 999 },
    mail: [[], [delivered], [], [childEnds]],
  },
  {
    name: "an order that nobody confirms, woken early",
    workflow: "order",
    input: { cents: 5 },
    mail: [[], [], [() => ({ kind: "wakeup" })]],
  },
  { name: "a task that succeeds at its second attempt and one that does not", workflow: "retrying", mail: [] },
  { name: "a workflow that is tried again after a task of it failed", workflow: "again", mail: [] },
  { name: "a race that a task wins over an event which was there before", workflow: "together", mail: [[stop]] },
  {
    name: "an approval that comes when patience has run out, and is for the next wait",
    workflow: "approval",
    mail: [[], [approved]],
  },
];

let now = 1_800_000_000_000;
async function play({ name, workflow: wanted, input, mail }: Scenario) {
  const workflow = fixtureWorkflows.find((version) => version.name === wanted);
  if (!workflow) throw new Error(`no workflow ${wanted}`);
  const run = { ...pushedRun(workflow, input), createdAt: now };
  const state = stateOf({ ...factsOf(run) });
  const steps: unknown[] = [];
  let suspended = false;
  for (let messages = 0, step = 0; step < 50; step++) {
    const read: Mail[] = (mail[step] ?? []).map((body) => ({ n: ++messages, acceptedAt: now, body: body(state) }));
    const { records } = state;
    const execution = suspended
      ? undefined
      : await execute({
          workflow,
          run: { ...run, runAttempt: state.runAttempt },
          records: [...records],
          host: stillHost,
          logger: silent,
        });
    if (execution?.state === "diverged") throw new Error("diverged");
    const answer = withoutStacks(execution);
    const input = { answer, mail: read, now: { earliest: now, latest: now }, suspended };
    const decision = decide(state, { ...input, maxTold: Number.POSITIVE_INFINITY });
    if ("code" in decision) throw new Error(decision.message);
    steps.push({ now, suspended, mail: read, answer, records: decision.records });
    settle(state, decision);
    if (decision.next.type === "end") return { name, run, steps };
    suspended = decision.next.type === "park";
    if (decision.next.type === "park" && decision.next.dueAt !== null) now = decision.next.dueAt;
  }
  throw new Error(`${name} does not end: ${JSON.stringify(state.records)}`);
}

const exchanges = [];
for (const scenario of scenarios) exchanges.push(await play(scenario));
writeFileSync(
  new URL("../sdk/protocol/fixtures/exchanges.json", import.meta.url),
  `${JSON.stringify(exchanges, null, 1)}\n`,
);
