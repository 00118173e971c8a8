import { readFileSync } from "node:fs";
import type { HistoryRecord, PushedRun } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { decide, type Input, settle } from "../../src/core/decide.js";
import { stateOf } from "../../src/core/state.js";
import { factsOf } from "./exchange-facts.js";

interface Step extends Pick<Input, "mail" | "answer" | "suspended"> {
  readonly now: number;
  readonly records: readonly HistoryRecord[];
}
interface Exchange {
  readonly name: string;
  readonly run: PushedRun;
  readonly steps: readonly Step[];
}
const file = new URL("../../../sdk/protocol/fixtures/exchanges.json", import.meta.url);
const exchanges: readonly Exchange[] = JSON.parse(readFileSync(file, "utf8"));

describe("the core's half of the golden exchanges", () => {
  it.each(exchanges.map((exchange) => [exchange.name, exchange] as const))("%s", (_name, { run, steps }) => {
    const state = stateOf(factsOf(run));
    for (const { now, suspended, mail, answer, records } of steps) {
      const decision = decide(state, { answer, mail, suspended, now: { earliest: now, latest: now }, maxTold: 500 });
      if ("code" in decision) throw new Error(decision.message);
      expect(decision.records).toEqual(records);
      settle(state, decision);
    }
    expect(state.records.at(-1)?.kind).toBe("run");
  });
});
