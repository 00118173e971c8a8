import { type Command, childRunId, entryKey, newId } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { commitOf, decide, settle } from "../../src/core/decide.js";
import { stateOf } from "../../src/core/state.js";
import { CHILD, ERROR, mail, NOW, paid, run, SLEEP, states, step, TASK, WAIT } from "./steps.js";

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
      maxTold: 500,
    });
    expect(refusal).toMatchObject({ code: "BAD_ANSWER" });
  });

  it.each(["waiting", "more"] as const)("refuse `%s` that leads nowhere", (answerState) => {
    const answer = { state: answerState, commands: [] };
    const now = { earliest: NOW, latest: NOW };
    const refusal = decide(stateOf(run()), { answer, mail: [], now, suspended: false, maxTold: 500 });
    expect(refusal).toMatchObject({ code: "NO_PROGRESS" });
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

  it("that the last answer starts are started, unless the run was cancelled", () => {
    const last: Command[] = [start[0] as Command, { type: "run.completed" }];
    const reference = { ...start[0], reference: "order-1" } as Command;
    expect(step(stateOf(run()), { commands: last }).children).toHaveLength(1);
    expect(step(stateOf(run()), { commands: [reference] }).children).toMatchObject([
      { facts: { reference: "order-1" } },
    ]);
    const cancel = [mail(1, { kind: "cancel", reason: undefined })];
    expect(step(stateOf(run()), { commands: last, mail: cancel }).children).toEqual([]);
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
