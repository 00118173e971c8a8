import { type Command, childRunId, entryKey, type HistoryRecord, LIMITS, newId } from "@aikirun/protocol";
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
      runAttempt: 1,
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
    },
    fence: { epoch: 1, gen: 1, seq: 0 },
    status: "running",
    paused: false,
    startAt: undefined,
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
    maxTold: 500,
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

describe("a wait that is given up", () => {
  const opened = (...commands: Command[]): RunState => {
    const state = stateOf(run());
    settle(state, step(state, { commands }));
    return state;
  };
  const wait = (index: number): Command => ({ type: "event.wait", key: EVENT(index) });
  const close = (index: number): Command => ({ type: "event.close", key: EVENT(index) });
  const sleep: Command = { type: "sleep", key: SLEEP, durationMs: 10 };

  it("takes no event and has no timer any more; to give it up again changes nothing", () => {
    const state = opened({ ...wait(0), timeoutMs: 60 } as Command, wait(1), sleep);
    const decision = step(state, { commands: [close(0), { type: "sleep.close", key: SLEEP }] });
    expect(states(decision.records)).toEqual([`4 ${EVENT(0)} closed`, `5 ${SLEEP} closed`]);
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: null });
    settle(state, decision);
    expect(step(state, { commands: [close(0), { type: "sleep.close", key: SLEEP }] }).records).toEqual([]);
    const later = { earliest: NOW + 100, latest: NOW + 100 };
    const next = step(state, { mail: [paid(1, "a"), mail(2, { kind: "wakeup" })], now: later, suspended: true });
    expect(states(next.records)).toEqual([`6 ${EVENT(1)} received`]);
  });

  it("lets the event go by that comes in the same commit", () => {
    const state = opened(wait(0));
    const decision = step(state, { commands: [close(0), sleep], mail: [paid(1, "a")] });
    expect(states(decision.records)).toEqual([`2 ${EVENT(0)} closed`, `3 ${SLEEP} sleeping`]);
    expect(decision.queued.map((m) => m.n)).toEqual([1]);
  });

  it("gives back what filled it, ahead of all that came later, to the wait that is next", () => {
    const state = opened(wait(0));
    settle(state, step(state, { mail: [paid(1, "a"), paid(2, "b")], suspended: true }));
    const given = step(state, { answer: { state: "more", commands: [close(0)] } });
    expect(states(given.records)).toEqual([`3 ${EVENT(0)} closed`]);
    expect(given.queued.map(({ n, body }) => [n, body])).toEqual([
      [1, { kind: "event", name: "paid", data: "a" }],
      [2, { kind: "event", name: "paid", data: "b" }],
    ]);
    settle(state, given);
    const decision = step(state, { commands: [wait(1)] });
    expect(decision.records.at(-1)?.value).toEqual({ state: "received", message: 1, data: "a" });
    expect(decision.queued.map((m) => m.n)).toEqual([2]);
  });

  it("gives back to another wait that is open already, and several in their order", () => {
    const state = opened(wait(0), wait(1), wait(2));
    settle(state, step(state, { mail: [paid(1, "a"), paid(2, "b")], suspended: true }));
    const decision = step(state, { commands: [close(1), close(0)] });
    expect(states(decision.records)).toEqual([
      `6 ${EVENT(1)} closed`,
      `7 ${EVENT(0)} closed`,
      `8 ${EVENT(2)} received`,
    ]);
    expect(decision.records.at(-1)?.value).toMatchObject({ message: 1 });
    expect(decision.queued.map((m) => m.n)).toEqual([2]);
    expect(decision.next.type).toBe("push");
  });

  it("stays as it is when it has timed out, and for a child leaves the child alone", () => {
    const state = opened({ ...wait(0), timeoutMs: 10 } as Command);
    const later = { earliest: NOW + 100, latest: NOW + 100 };
    settle(state, step(state, { now: later, suspended: true }));
    expect(states(step(state, { commands: [close(0), sleep] }).records)).toEqual([`3 ${SLEEP} sleeping`]);
    const parent = opened(
      { type: "child.start", key: CHILD, workflow: "survey", version: "1.0.0" },
      { type: "child.wait", key: WAIT, child: CHILD, status: "completed", timeoutMs: 50 },
      wait(0),
    );
    settle(parent, step(parent, { commands: [{ type: "wait.close", key: WAIT }] }));
    expect([...parent.open].sort()).toEqual([CHILD, EVENT(0)]);
    const ended = mail(1, { kind: "child", key: CHILD, status: "completed", output: 1, error: undefined });
    const decision = step(parent, { mail: [ended], suspended: true });
    // It is recorded for whoever asks later, and costs no push.
    expect(states(decision.records)).toEqual([`5 ${CHILD} ended`]);
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: null });
  });

  it("counts no more among the open ones", () => {
    const commands = Array.from({ length: LIMITS.openWaits }, (_, i) => wait(i));
    const state = opened(...commands);
    const input = { mail: [], now: { earliest: NOW, latest: NOW }, suspended: false, maxTold: 500 };
    const more = wait(LIMITS.openWaits);
    expect(decide(state, { ...input, answer: { state: "waiting", commands: [more] } })).toMatchObject({
      code: "BAD_ANSWER",
      message: expect.stringContaining("10001 waits would be open"),
    });
    expect(
      decide(state, { ...input, answer: { state: "waiting", commands: [close(0), close(0), more] } }),
    ).toMatchObject({
      records: [{ value: { state: "closed" } }, { value: { state: "waiting" } }],
    });
  });

  it.each<[string, Command]>([
    ["that was never opened", close(7)],
    ["under another's key", { type: "sleep.close", key: EVENT(0) }],
  ])("is refused %s", (_, command) => {
    const state = opened(wait(0));
    const answer = { state: "waiting" as const, commands: [command] };
    const input = { answer, mail: [], now: { earliest: NOW, latest: NOW }, suspended: false, maxTold: 500 };
    expect(decide(state, input)).toMatchObject({ code: "BAD_ANSWER" });
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

describe("control", () => {
  const later = { earliest: NOW + 100, latest: NOW + 100 };

  it("pauses with what a push brought recorded, and keeps no timer", () => {
    const state = stateOf(run());
    const answer = {
      state: "more" as const,
      commands: [{ type: "task.completed" as const, key: TASK, taskAttempt: 1 }],
    };
    const decision = step(state, { answer, mail: [mail(1, { kind: "pause" })] });
    expect(states(decision.records)).toEqual([`1 ${TASK} completed`]);
    expect(decision).toMatchObject({ paused: true, next: { type: "park", status: "paused", dueAt: null } });
  });

  it("lets a run complete that was paused while its last answer was under way", () => {
    const decision = step(stateOf(run()), {
      commands: [{ type: "run.completed" }],
      mail: [mail(1, { kind: "pause" })],
    });
    expect(decision.next).toMatchObject({ type: "end", status: "completed" });
    expect(decision.seen).toBe(1);
  });

  it("resumes only what is paused", () => {
    const idle = stateOf(run({ status: "suspended" }));
    expect(step(idle, { mail: [mail(1, { kind: "resume" })], suspended: true }).next.type).toBe("park");
    const twice = [mail(1, { kind: "pause" }), mail(2, { kind: "pause" }), mail(3, { kind: "resume" })];
    expect(step(idle, { mail: twice, suspended: true })).toMatchObject({ paused: false, next: { type: "push" } });
  });

  it("keeps events, and delivers them, while paused", () => {
    const state = stateOf(run());
    settle(
      state,
      step(state, { commands: [{ type: "event.wait", key: EVENT(0) }], mail: [mail(1, { kind: "pause" })] }),
    );
    const decision = step(state, { mail: [paid(2, "a"), paid(3, "b")] });
    expect(states(decision.records)).toEqual([`2 ${EVENT(0)} received`]);
    expect(decision).toMatchObject({ queued: [{ n: 3 }], next: { type: "park", status: "paused", dueAt: null } });
  });

  it("cancels what is paused, and what is stalled", () => {
    const cancel = mail(1, { kind: "cancel", reason: "enough" });
    for (const over of [{ status: "paused", paused: true } as const, { status: "stalled" } as const]) {
      expect(step(stateOf(run(over)), { mail: [cancel] }).next).toMatchObject({ type: "end", status: "cancelled" });
    }
  });

  it("leaves stalled what was paused and resumed while it stalled", () => {
    const state = stateOf(run({ status: "stalled" }));
    settle(state, step(state, { mail: [mail(1, { kind: "pause" })] }));
    expect([state.stalled, state.paused]).toEqual([true, true]);
    expect(step(state, { mail: [mail(2, { kind: "requeue" })] }).next).toMatchObject({ status: "paused" });
    expect(step(state, { mail: [mail(2, { kind: "resume" })] }).next).toMatchObject({ status: "stalled" });
    const both = [mail(2, { kind: "resume" }), mail(3, { kind: "requeue" })];
    expect(step(state, { mail: both }).next.type).toBe("push");
  });

  it("wakes every open sleep and nothing else", () => {
    const state = stateOf(run());
    const retry: Command = { type: "task.retry", key: TASK, taskAttempt: 1, error: ERROR, delayMs: 50 };
    const open: Command[] = [
      { type: "sleep", key: SLEEP, durationMs: 1_000 },
      { type: "sleep", key: entryKey("sleep", "other", 0), durationMs: 2_000 },
      { type: "event.wait", key: EVENT(0), timeoutMs: 3_000 },
      retry,
    ];
    settle(state, step(state, { commands: open }));
    const decision = step(state, { mail: [mail(1, { kind: "wakeup" })], suspended: true });
    expect(states(decision.records)).toEqual([`5 ${SLEEP} cancelled`, "6 sleep:other#0 cancelled"]);
    expect(decision.next.type).toBe("push");
  });

  it("wakes nothing where nothing sleeps, and costs no push", () => {
    const state = stateOf(run());
    settle(state, step(state, { commands: [{ type: "event.wait", key: EVENT(0) }] }));
    const decision = step(state, { mail: [mail(1, { kind: "wakeup" })], suspended: true });
    expect(decision.records).toEqual([]);
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: null });
  });

  it("wakes a sleep of a paused run, which stays paused", () => {
    const state = stateOf(run());
    settle(
      state,
      step(state, { commands: [{ type: "sleep", key: SLEEP, durationMs: 10 }], mail: [mail(1, { kind: "pause" })] }),
    );
    const decision = step(state, { mail: [mail(2, { kind: "wakeup" })], now: later });
    expect(states(decision.records)).toEqual([`2 ${SLEEP} cancelled`]);
    expect(decision.next).toMatchObject({ type: "park", status: "paused" });
  });

  it("tells more children than one commit holds in commits of their own, and ends with the last of them", () => {
    const state = stateOf(run());
    const starts = Array.from({ length: 7 }, (_, i): Command => {
      return { type: "child.start", key: entryKey("child", `survey:1.0.0:${i}`, 0), workflow: "survey", version: "1" };
    });
    const wait: Command = {
      type: "child.wait",
      key: WAIT.replace(":bb", ":0"),
      child: starts[0]?.type === "child.start" ? starts[0].key : "",
      status: "completed",
    };
    settle(state, step(state, { commands: [...starts, wait] }));
    const before = state.records.length;
    const cancel = [paid(1, "a"), mail(2, { kind: "cancel", reason: "enough" })];
    const told: string[] = [];
    for (const count of [3, 3]) {
      const decision = step(state, { mail: cancel, suspended: true, maxTold: 3 });
      expect(decision).toMatchObject({ records: [], seen: 0, next: { type: "tell" }, writes: true });
      expect(commitOf(state, decision, "c").next).toEqual({ type: "keep" });
      expect(decision.messages).toHaveLength(count);
      told.push(...decision.messages.map(({ runId }) => runId));
      settle(state, decision);
      expect(state.records).toHaveLength(before);
    }
    const last = step(state, { mail: cancel, suspended: true, maxTold: 3 });
    expect(last).toMatchObject({ seen: 2, next: { type: "end", status: "cancelled" } });
    told.push(...last.messages.map(({ runId }) => runId));
    expect(new Set(told).size).toBe(7);
    expect(told).toHaveLength(7);
  });
});

describe("a run that is to start later", () => {
  const START = NOW + 1_000;
  const scheduled = () => stateOf(run({ status: "scheduled", startAt: START }));
  const until = (decision: Decision) => [decision.next, decision.startAt];
  const parked = [{ type: "park", status: "scheduled", dueAt: START }, START];

  it("is not started by an event, a pause and a resume, or a requeue", () => {
    const state = scheduled();
    const got = step(state, { mail: [paid(1, "early"), mail(2, { kind: "requeue" })] });
    expect(until(got)).toEqual(parked);
    settle(state, got);
    expect(state.queued).toHaveLength(1);
    settle(state, step(state, { mail: [mail(3, { kind: "pause" })] }));
    expect(until(step(state, { mail: [mail(4, { kind: "resume" })] }))).toEqual(parked);
  });

  it("starts when its time has come, and not before", () => {
    const early = { earliest: START - 1, latest: START + 50 };
    expect(until(step(scheduled(), { now: early }))).toEqual(parked);
    const now = { earliest: START, latest: START };
    expect(step(scheduled(), { now })).toMatchObject({ startAt: undefined, writes: true, next: { type: "push" } });
  });

  it("starts when somebody wakes it, unless it is paused", () => {
    const wakeup = mail(1, { kind: "wakeup" });
    expect(step(scheduled(), { mail: [wakeup] })).toMatchObject({ startAt: undefined, next: { type: "push" } });
    const paused = step(scheduled(), { mail: [wakeup, mail(2, { kind: "pause" })] });
    expect(until(paused)).toEqual([{ type: "park", status: "paused", dueAt: null }, undefined]);
  });

  it("is cancelled without having run", () => {
    const decision = step(scheduled(), { mail: [mail(1, { kind: "cancel", reason: undefined })] });
    expect(states(decision.records)).toEqual(["1 run:#0 cancelled"]);
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
