/** What people say to a run, and when one starts that is to start later. */
import { type Command, entryKey } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { commitOf, type Decision, settle } from "../../src/core/decide.js";
import { stateOf } from "../../src/core/state.js";
import { ERROR, EVENT, mail, NOW, paid, run, SLEEP, states, step, TASK, WAIT } from "./steps.js";

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
