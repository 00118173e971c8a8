import { type Command, childRunId, entryKey, type HistoryRecord, newId } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { commitOf, type Decision, decide, type Input, settle } from "../../src/core/decide.js";
import type { LoadedRun, Mail, MessageBody } from "../../src/core/run.js";
import { type RunState, stateOf } from "../../src/core/state.js";

const NOW = 1_000_000;
const TASK = entryKey("task", "charge:aa", 0);
const SLEEP = entryKey("sleep", "grace", 0);
const EVENT = (index: number) => entryKey("event", "paid", index);
const CHILD = entryKey("child", "survey:1.0.0:bb", 0);
const WAIT = entryKey("wait", `${CHILD}/completed`, 0);
const ERROR = { name: "Error", message: "no" };

function run(over: Partial<LoadedRun> = {}): LoadedRun {
  return {
    facts: {
      ns: "default",
      id: newId("run"),
      workflow: "checkout",
      version: "1.0.0",
      input: null,
      createdAt: NOW,
      startsAt: NOW,
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
    },
    fence: { epoch: 1, gen: 1, seq: 0 },
    status: "running",
    paused: false,
    tries: 1,
    trouble: undefined,
    seen: 0,
    queued: [],
    mail: [],
    records: [],
    ...over,
  };
}

function mail(n: number, body: MessageBody, acceptedAt = NOW): Mail {
  return { n, acceptedAt, body };
}
const paid = (n: number, data: string, at = NOW) => mail(n, { kind: "event", name: "paid", data }, at);

function step(state: RunState, over: Partial<Input> & { commands?: Command[]; answer?: Input["answer"] }): Decision {
  const answer = over.commands ? { state: "waiting" as const, commands: over.commands } : over.answer;
  const decision = decide(state, {
    mail: [],
    now: { earliest: NOW, latest: NOW + 5 },
    suspended: false,
    ...over,
    answer,
  });
  if ("code" in decision) throw new Error(decision.message);
  return decision;
}
const states = (records: readonly HistoryRecord[]) =>
  records.map((record) => `${record.n} ${record.key} ${record.value.state}`);

describe("commands", () => {
  it("number records without gaps and in the order given", () => {
    const state = stateOf(run());
    const decision = step(state, {
      commands: [
        { type: "task.completed", key: TASK, taskAttempt: 1, output: 7 },
        { type: "sleep", key: SLEEP, durationMs: 100 },
      ],
    });
    expect(states(decision.records)).toEqual([`1 ${TASK} completed`, `2 ${SLEEP} sleeping`]);
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: NOW + 105 });
  });

  it("make instants from the latest that the database's clock can be, so that no timer is early", () => {
    const decision = step(stateOf(run()), { commands: [{ type: "sleep", key: SLEEP, durationMs: 10.5 }] });
    expect(decision.records[0]?.value).toEqual({ state: "sleeping", wakeAt: NOW + 16 });
  });

  it("count a task's outcome only as the attempt that comes next", () => {
    const state = stateOf(run());
    const retry: Command = { type: "task.retry", key: TASK, taskAttempt: 1, error: ERROR, delayMs: 50 };
    settle(state, step(state, { commands: [retry] }));
    expect(step(state, { commands: [retry] }).records).toEqual([]);
    const skipped: Command = { type: "task.completed", key: TASK, taskAttempt: 3 };
    expect(step(state, { commands: [skipped] }).records).toEqual([]);
    const next: Command = { type: "task.completed", key: TASK, taskAttempt: 2 };
    settle(state, step(state, { answer: { state: "more", commands: [next] } }));
    expect(state.open.size).toBe(0);
    const again: Command = { type: "task.failed", key: TASK, taskAttempt: 3, error: ERROR };
    expect(step(state, { commands: [{ type: "sleep", key: SLEEP, durationMs: 1 }, again] }).records).toHaveLength(1);
  });

  it("start a child once, under an id made from its parent and key", () => {
    const state = stateOf(run());
    const start: Command = { type: "child.start", key: CHILD, workflow: "survey", version: "1.0.0" };
    const wait: Command = { type: "child.wait", key: WAIT, child: CHILD, status: "completed" };
    const decision = step(state, { commands: [start, wait] });
    expect(decision.children.map((child) => child.facts.id)).toEqual([childRunId(state.facts.id, CHILD)]);
    settle(state, decision);
    expect(step(state, { commands: [start] }).children).toEqual([]);
  });

  it.each<[string, Command[]]>([
    ["a task outcome under a sleep's key", [{ type: "task.completed", key: SLEEP, taskAttempt: 1 }]],
    ["a wait for a child that nobody started", [{ type: "child.wait", key: WAIT, child: CHILD, status: "completed" }]],
    ["something after the end", [{ type: "run.completed" }, { type: "sleep", key: SLEEP, durationMs: 1 }]],
  ])("refuse %s", (_, commands) => {
    const refusal = decide(stateOf(run()), {
      answer: { state: "waiting", commands },
      mail: [],
      now: { earliest: NOW, latest: NOW },
      suspended: false,
    });
    expect(refusal).toMatchObject({ code: "BAD_ANSWER" });
  });

  it.each(["waiting", "more"] as const)("refuse `%s` that leads nowhere", (answerState) => {
    const answer = { state: answerState, commands: [] };
    const refusal = decide(stateOf(run()), { answer, mail: [], now: { earliest: NOW, latest: NOW }, suspended: false });
    expect(refusal).toMatchObject({ code: "NO_PROGRESS" });
  });
});

describe("events", () => {
  it("wait for their wait, are given in order, and make the run go on", () => {
    const state = stateOf(run());
    settle(state, step(state, { mail: [paid(1, "a"), paid(2, "b")], suspended: true }));
    expect(state.queued.map((m) => m.n)).toEqual([1, 2]);
    const decision = step(state, { commands: [{ type: "event.wait", key: EVENT(0) }] });
    expect(states(decision.records)).toEqual([`1 ${EVENT(0)} waiting`, `2 ${EVENT(0)} received`]);
    expect(decision.records[1]?.value).toEqual({ state: "received", message: 1, data: "a" });
    expect(decision.next.type).toBe("push");
    expect(decision.queued.map((m) => m.n)).toEqual([2]);
  });

  it("that nobody waits for cost a suspended run no push", () => {
    const decision = step(stateOf(run({ status: "suspended" })), { mail: [paid(1, "a")], suspended: true });
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: null });
    expect(decision.writes).toBe(true);
  });

  it("that came before their wait are recorded behind all that the handler saw when it answered", () => {
    const state = stateOf(run());
    settle(state, step(state, { mail: [paid(1, "a")] }));
    const decision = step(state, {
      commands: [
        { type: "event.wait", key: EVENT(0) },
        { type: "task.completed", key: TASK, taskAttempt: 1 },
        { type: "sleep", key: SLEEP, durationMs: 10 },
      ],
    });
    expect(states(decision.records)).toEqual([
      `1 ${EVENT(0)} waiting`,
      `2 ${TASK} completed`,
      `3 ${SLEEP} sleeping`,
      `4 ${EVENT(0)} received`,
    ]);
  });

  it("go to the wait that was called first; a timed out one keeps its place", () => {
    const state = stateOf(run());
    const wait = (index: number, timeoutMs?: number): Command => ({
      type: "event.wait",
      key: EVENT(index),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    settle(state, step(state, { commands: [wait(0, 10), wait(1)] }));
    const later = { earliest: NOW + 100, latest: NOW + 100 };
    const decision = step(state, { mail: [paid(1, "late", NOW + 50)], now: later, suspended: true });
    expect(states(decision.records)).toEqual([`3 ${EVENT(0)} timedOut`, `4 ${EVENT(1)} received`]);
  });

  it("accepted before the timeout win, however late they are read", () => {
    const state = stateOf(run());
    settle(state, step(state, { commands: [{ type: "event.wait", key: EVENT(0), timeoutMs: 60 }] }));
    const later = { earliest: NOW + 100, latest: NOW + 100 };
    expect(states(step(state, { mail: [paid(1, "x", NOW + 50)], now: later, suspended: true }).records)).toEqual([
      `2 ${EVENT(0)} received`,
    ]);
  });
});

describe("time", () => {
  it("settles what is due, in the order in which it came due, and never before", () => {
    const state = stateOf(run());
    const other = entryKey("sleep", "short", 0);
    settle(
      state,
      step(state, {
        commands: [
          { type: "sleep", key: SLEEP, durationMs: 50 },
          { type: "sleep", key: other, durationMs: 20 },
        ],
      }),
    );
    expect(step(state, { now: { earliest: NOW + 24, latest: NOW + 999 }, suspended: true }).records).toEqual([]);
    const both = step(state, { now: { earliest: NOW + 55, latest: NOW + 60 }, suspended: true });
    expect(states(both.records)).toEqual([`3 ${other} completed`, `4 ${SLEEP} completed`]);
    expect(both.next.type).toBe("push");
  });

  it("makes a retry due and leaves its attempts alone", () => {
    const state = stateOf(run());
    settle(
      state,
      step(state, { commands: [{ type: "task.retry", key: TASK, taskAttempt: 1, error: ERROR, delayMs: 10 }] }),
    );
    const decision = step(state, { now: { earliest: NOW + 50, latest: NOW + 50 }, suspended: true });
    expect(decision.records[0]?.value).toMatchObject({ state: "retrying", attempts: 1, due: true });
  });

  it("stands still while paused and is made up for on resume", () => {
    const state = stateOf(run());
    settle(state, step(state, { commands: [{ type: "sleep", key: SLEEP, durationMs: 10 }] }));
    const later = { earliest: NOW + 100, latest: NOW + 100 };
    const paused = step(state, { mail: [mail(1, { kind: "pause" }, NOW + 1)], now: later, suspended: true });
    expect(paused.records).toEqual([]);
    expect(paused.next).toEqual({ type: "park", status: "paused", dueAt: null });
    settle(state, paused);
    const resumed = step(state, { mail: [mail(2, { kind: "resume" }, NOW + 90)], now: later });
    expect(states(resumed.records)).toEqual([`2 ${SLEEP} completed`]);
    expect(resumed.next.type).toBe("push");
  });
});

describe("children", () => {
  const start: Command[] = [
    { type: "child.start", key: CHILD, workflow: "survey", version: "1.0.0" },
    { type: "child.wait", key: WAIT, child: CHILD, status: "completed" },
  ];

  it("wake their parent however they end", () => {
    const state = stateOf(run());
    settle(state, step(state, { commands: start }));
    const ended = mail(1, { kind: "child", key: CHILD, status: "failed", output: undefined, error: ERROR });
    const decision = step(state, { mail: [ended, { ...ended, n: 2 }], suspended: true });
    expect(states(decision.records)).toEqual([`3 ${CHILD} ended`, `4 ${WAIT} ended`]);
    expect(decision.next.type).toBe("push");
  });

  it("tell their parent in the commit that ends them", () => {
    const parent = { id: newId("run"), key: CHILD };
    const base = run();
    const state = stateOf({ ...base, facts: { ...base.facts, parent } });
    const decision = step(state, { commands: [{ type: "run.completed", output: 1 }] });
    expect(decision.messages).toEqual([
      {
        ns: "default",
        runId: parent.id,
        eventId: `child-ended:${state.facts.id}`,
        body: { kind: "child", key: CHILD, status: "completed", output: 1, error: undefined },
      },
    ]);
  });

  it("are cancelled with their parent, unless they have ended", () => {
    const state = stateOf(run());
    settle(state, step(state, { commands: start }));
    const decision = step(state, { mail: [mail(1, { kind: "cancel", reason: "enough" })], suspended: true });
    expect(decision.next).toMatchObject({ type: "end", status: "cancelled", reason: "enough" });
    expect(decision.messages.map((m) => [m.runId, m.body.kind])).toEqual([
      [childRunId(state.facts.id, CHILD), "cancel"],
    ]);
    expect(states(decision.records)).toEqual(["3 run:#0 cancelled"]);
  });
});

describe("the end", () => {
  it("is the last record, and an acknowledged cancel comes before it", () => {
    const state = stateOf(run());
    const done: Command[] = [{ type: "task.completed", key: TASK, taskAttempt: 1 }, { type: "run.completed" }];
    expect(states(step(state, { commands: done }).records)).toEqual([`1 ${TASK} completed`, "2 run:#0 completed"]);
    const cancelled = step(state, { commands: done, mail: [mail(1, { kind: "cancel", reason: undefined })] });
    expect(cancelled.next).toMatchObject({ type: "end", status: "cancelled" });
    expect(states(cancelled.records)).toEqual([`1 ${TASK} completed`, "2 run:#0 cancelled"]);
  });

  it("leaves the state untouched until it is settled", () => {
    const state = stateOf(run());
    const decision = step(state, { commands: [{ type: "sleep", key: SLEEP, durationMs: 1 }], mail: [paid(1, "x")] });
    expect([state.records.length, state.open.size, state.seen, state.fence.seq]).toEqual([0, 0, 0, 0]);
    const commit = commitOf(state, decision, "c1");
    expect(commit).toMatchObject({ fence: { gen: 1, seq: 0 }, seen: 1, queued: [1] });
    settle(state, decision);
    expect([state.records.length, state.open.size, state.seen, state.fence.seq]).toEqual([1, 1, 1, 1]);
  });

  it("does not come to a stalled run that nobody requeued", () => {
    const state = stateOf(run({ status: "stalled" }));
    const parked = step(state, { mail: [paid(1, "x")] });
    expect(parked.next).toEqual({ type: "park", status: "stalled", dueAt: null });
    expect(step(state, { mail: [mail(1, { kind: "requeue" })] }).next.type).toBe("push");
  });
});
