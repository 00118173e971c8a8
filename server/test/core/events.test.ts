/** Events, their waits, and waits that are given up. */
import { type Command, LIMITS } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { decide, settle } from "../../src/core/decide.js";
import { type RunState, stateOf } from "../../src/core/state.js";
import { CHILD, EVENT, mail, NOW, paid, run, SLEEP, states, step, TASK, WAIT } from "./steps.js";

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
