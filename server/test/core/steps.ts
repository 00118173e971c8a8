/** A run to decide about, and one decision after the other. */
import { type Command, entryKey, type HistoryRecord, newId } from "@aikirun/protocol";
import { type Decision, decide, type Input } from "../../src/core/decide.js";
import type { LoadedRun, Mail, MessageBody, RunFacts } from "../../src/core/run.js";
import type { RunState } from "../../src/core/state.js";

/** An instant of the database's clock, from which the tests count. */
export const NOW = 1_000_000;
export const TASK = entryKey("task", "charge:aa", 0);
export const SLEEP = entryKey("sleep", "grace", 0);
export const EVENT = (index: number) => entryKey("event", "paid", index);
export const CHILD = entryKey("child", "survey:1.0.0:bb", 0);
export const WAIT = entryKey("wait", `${CHILD}/completed`, 0);
export const ERROR = { name: "Error", message: "no" };

/** A run as its lease holder loads it for the first time. */
export function run({
  facts,
  ...over
}: Partial<Omit<LoadedRun, "facts">> & { facts?: Partial<RunFacts> } = {}): LoadedRun {
  return {
    facts: {
      ns: "default",
      id: newId("run"),
      workflow: "checkout",
      version: "1.0.0",
      input: null,
      createdAt: NOW,
      timedFrom: NOW,
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
      ...facts,
    },
    fence: { epoch: 1, gen: 1, seq: 0 },
    status: "running",
    paused: false,
    startAt: undefined,
    tries: 1,
    trouble: undefined,
    hold: "push",
    seen: 0,
    queued: [],
    mail: [],
    records: [],
    ...over,
  };
}

export function mail(n: number, body: MessageBody, acceptedAt = NOW): Mail {
  return { n, acceptedAt, body };
}

export const paid = (n: number, data: string, at = NOW) => mail(n, { kind: "event", name: "paid", data }, at);

export function step(
  state: RunState,
  over: Partial<Input> & { commands?: Command[]; answer?: Input["answer"] },
): Decision {
  const answer = over.commands ? { state: "waiting" as const, commands: over.commands } : over.answer;
  const decision = decide(state, {
    mail: [],
    now: { earliest: NOW, latest: NOW + 5 },
    suspended: false,
    maxTold: 500,
    ...over,
    answer,
  });
  if ("code" in decision) throw new Error(decision.message);
  return decision;
}

export const states = (records: readonly HistoryRecord[]) =>
  records.map((record) => `${record.n} ${record.key} ${record.value.state}`);
