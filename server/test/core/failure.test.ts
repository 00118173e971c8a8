/** Workflow retries and time limits, as the core decides them. */
import { type Command, childRunId, entryKey, type HistoryRecord } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { type Decision, decide, type Input, settle } from "../../src/core/decide.js";
import type { LoadedRun, RunFacts } from "../../src/core/run.js";
import { type RunState, stateOf } from "../../src/core/state.js";
import { ERROR, run as loadedRun, mail, NOW, SLEEP, TASK, states as told } from "./steps.js";

const FAILING = entryKey("task", "ship:bb", 0);
const CHILD = entryKey("child", "survey:1.0.0:cc", 0);
const WAIT = entryKey("wait", `${CHILD}/completed`, 0);
const RUN = entryKey("run", "", 0);

const run = (facts: Partial<RunFacts> = {}, over: Partial<LoadedRun> = {}): RunState =>
  stateOf(loadedRun({ facts: { createdAt: NOW - 500, ...facts }, ...over }));

type Over = Partial<Omit<Input, "now">> & { readonly at?: number; readonly commands?: readonly Command[] };

/** Decides at an instant; `earliest` is what counts. */
function step(state: RunState, { at = NOW, commands, ...over }: Over = {}): Decision {
  const answer = commands && { state: "waiting" as const, commands: [...commands] };
  const now = { earliest: at, latest: at + 5 };
  const decision = decide(state, { answer, mail: [], now, suspended: commands === undefined, maxTold: 500, ...over });
  if ("code" in decision) throw new Error(decision.message);
  return decision;
}

function carryOut(state: RunState, over: Over): Decision {
  const decision = step(state, over);
  settle(state, decision);
  return decision;
}

const retry = (delayMs: number): Command => ({ type: "run.retry", error: ERROR, delayMs });

describe("a run that fails with mail that it has not read", () => {
  const failed: Command = { type: "run.failed", error: ERROR };
  const start: Command = { type: "child.start", key: CHILD, workflow: "survey", version: "1.0.0" };
  const childEnd = mail(1, { kind: "child", key: CHILD, status: "completed", output: 7, error: undefined });
  const event = mail(2, { kind: "event", name: "paid", data: 1 });

  it("keeps what a retry of it needs: the ends of children, and events", () => {
    const state = run();
    carryOut(state, { commands: [start] });
    const decision = step(state, { commands: [failed], mail: [childEnd, event, mail(3, { kind: "pause" })] });
    expect(told(decision.records)).toEqual([`2 ${CHILD} ended`, `3 ${RUN} failed`]);
    expect(decision).toMatchObject({ seen: 3, queued: [event], next: { type: "end", status: "failed" } });
  });

  it("keeps nothing when a cancel is among it", () => {
    const state = run();
    carryOut(state, { commands: [start] });
    const cancel = mail(3, { kind: "cancel", reason: undefined });
    const decision = step(state, { commands: [failed], mail: [childEnd, event, cancel] });
    expect(told(decision.records)).toEqual([`2 ${RUN} cancelled`]);
  });
});

describe("a workflow retry", () => {
  const before: Command[] = [
    { type: "task.completed", key: TASK, taskAttempt: 1 },
    { type: "task.failed", key: FAILING, taskAttempt: 1, error: ERROR },
    { type: "sleep", key: SLEEP, durationMs: 1_000 },
    { type: "run.retry", error: ERROR, delayMs: 100, task: FAILING },
  ];

  it("parks the run until its delay is over by the database's clock", () => {
    const state = run();
    const decision = carryOut(state, { commands: before });
    expect(told(decision.records).at(-1)).toBe(`4 ${RUN} retrying`);
    expect(decision.records.at(-1)?.value).toEqual({
      state: "retrying",
      runAttempt: 1,
      error: ERROR,
      nextAttemptAt: NOW + 105,
      task: FAILING,
    });
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: NOW + 105 });
    expect(step(state, { at: NOW + 104 })).toMatchObject({ records: [], next: { type: "park", dueAt: NOW + 105 } });
    const due = step(state, { at: NOW + 105 });
    expect(due.records.map(({ value }) => value)).toEqual([{ state: "retried", runAttempt: 2 }]);
    expect(due.next.type).toBe("push");
  });

  it("pushes nothing before that, whatever comes", () => {
    const state = run();
    carryOut(state, { commands: [{ type: "event.wait", key: "event:paid#0" }, ...before] });
    const paid = mail(1, { kind: "event", name: "paid", data: 1 });
    const resumed = [paid, mail(2, { kind: "pause" }), mail(3, { kind: "resume" }), mail(4, { kind: "wakeup" })];
    const decision = step(state, { at: NOW + 50, mail: resumed });
    expect(told(decision.records)).toEqual(["6 event:paid#0 received", `7 ${SLEEP} cancelled`]);
    expect(decision.next).toEqual({ type: "park", status: "suspended", dueAt: NOW + 105 });
  });

  it("hides what failed, keeps the rest, and counts a hidden task's attempts from one again", () => {
    const state = run();
    carryOut(state, { commands: before });
    carryOut(state, { at: NOW + 105 });
    expect([...state.entries.keys()]).toEqual([TASK, SLEEP, RUN]);
    expect([...state.open]).toEqual([SLEEP]);
    expect(state.runAttempt).toBe(2);
    const again: Command = { type: "task.completed", key: FAILING, taskAttempt: 1 };
    expect(told(step(state, { commands: [again] }).records)).toEqual([`6 ${FAILING} completed`]);
    const stale: Command = { type: "task.completed", key: TASK, taskAttempt: 1 };
    expect(step(state, { commands: [stale] }).records).toEqual([]);
  });

  it("hides in the same transition in which it comes due", () => {
    const state = run();
    const retrying: Command = { type: "task.retry", key: FAILING, taskAttempt: 1, error: ERROR, delayMs: 5_000 };
    carryOut(state, { commands: [retrying, retry(100)] });
    const decision = carryOut(state, { at: NOW + 6_000 });
    expect(told(decision.records)).toEqual([`3 ${RUN} retried`]);
    expect(step(state, { at: NOW + 7_000 }).records).toEqual([]);
  });

  it("lets a child that failed be started anew under the next index", () => {
    const state = run();
    const start: Command[] = [
      { type: "child.start", key: CHILD, workflow: "survey", version: "1.0.0" },
      { type: "child.wait", key: WAIT, child: CHILD, status: "completed" },
    ];
    carryOut(state, { commands: start });
    const ended = { kind: "child", key: CHILD, status: "failed", output: undefined, error: ERROR } as const;
    carryOut(state, { mail: [mail(1, ended)] });
    carryOut(state, { commands: [retry(0)] });
    carryOut(state, { at: NOW + 10 });
    expect([...state.entries.keys()]).toEqual([RUN]);
    const next = entryKey("child", "survey:1.0.0:cc", 1);
    const { children } = step(state, {
      commands: [{ type: "child.start", key: next, workflow: "survey", version: "1.0.0" }],
    });
    expect(children.map(({ facts }) => facts.id)).toEqual([childRunId(state.facts.id, next)]);
    expect(step(state, { mail: [mail(2, ended)] }).records).toEqual([]);
  });

  it("opens anew what was given up", () => {
    const state = run();
    const open: Command[] = [
      { type: "event.wait", key: "event:paid#0" },
      { type: "sleep", key: SLEEP, durationMs: 1_000 },
    ];
    carryOut(state, { commands: open });
    const close: Command[] = [{ type: "event.close", key: "event:paid#0" }, retry(10)];
    carryOut(state, { commands: close });
    carryOut(state, { at: NOW + 20 });
    expect(told(step(state, { commands: open }).records)).toEqual(["6 event:paid#0 waiting"]);
  });

  it("is overtaken by a cancel, and is the last command", () => {
    const state = run();
    carryOut(state, { commands: before });
    const cancelled = step(state, { mail: [mail(1, { kind: "cancel", reason: undefined })] });
    expect(cancelled.next).toMatchObject({ type: "end", status: "cancelled" });
    const answer = { state: "waiting" as const, commands: [retry(1), before[0] as Command] };
    const now = { earliest: NOW, latest: NOW };
    const refused = decide(run(), { answer, mail: [], now, suspended: false, maxTold: 500 });
    expect(refused).toMatchObject({ code: "BAD_ANSWER" });
  });
});

describe("a run's time limit", () => {
  const wait: Command = { type: "event.wait", key: "event:paid#0" };

  it("counts from when somebody wakes a run before its time", () => {
    const later = NOW + 10_000;
    const state = run({ timeoutMs: 300, timedFrom: later }, { status: "scheduled", startAt: later });
    const wakeup = mail(1, { kind: "wakeup" }, NOW + 7);
    expect(told(carryOut(state, { mail: [wakeup], at: NOW + 20 }).records)).toEqual([`1 ${RUN} woken`]);
    expect(carryOut(state, { commands: [wait] }).next).toMatchObject({ type: "park", dueAt: NOW + 307 });
    expect(step(state, { mail: [mail(2, { kind: "wakeup" })] }).records).toEqual([]);
    expect(step(state, { at: NOW + 307 }).next).toMatchObject({ type: "end", status: "failed" });
  });

  it("leaves the children that the last answer starts, so that a retry finds them", () => {
    const start: Command = { type: "child.start", key: CHILD, workflow: "survey", version: "1.0.0" };
    const over = step(run({ timeoutMs: 300 }), { commands: [start, wait], at: NOW + 300 });
    expect(over.next).toMatchObject({ type: "end", status: "failed" });
    expect(over.children).toHaveLength(1);
  });

  it("is a timer of every park, and ends the run when it has surely come", () => {
    const state = run({ timeoutMs: 300 });
    expect(carryOut(state, { commands: [wait] }).next).toMatchObject({ type: "park", dueAt: NOW + 300 });
    expect(step(state, { at: NOW + 299 }).next).toMatchObject({ type: "park", dueAt: NOW + 300 });
    const over = step(state, { at: NOW + 300 });
    expect(told(over.records)).toEqual([`2 ${RUN} failed`]);
    expect(over.next).toMatchObject({ type: "end", status: "failed", error: { code: "RUN_TIMEOUT" } });
    expect(over.next.type === "end" && over.next.error?.message).toContain("300 ms");
  });

  it("gives way to an end that is here, to a cancel, and to an earlier timer", () => {
    const state = run({ timeoutMs: 300 });
    const late = { at: NOW + 900 };
    expect(step(state, { ...late, commands: [{ type: "run.completed" }] }).next).toMatchObject({ status: "completed" });
    const cancel = mail(1, { kind: "cancel", reason: undefined });
    expect(step(state, { ...late, mail: [cancel] }).next).toMatchObject({ status: "cancelled" });
    expect(step(state, { commands: [{ type: "sleep", key: SLEEP, durationMs: 10 }] }).next).toMatchObject({
      dueAt: NOW + 15,
    });
  });

  it("of the version is recorded with its first answer, and stays", () => {
    const state = run();
    const first = carryOut(state, { commands: [wait], versionTimeoutMs: 70 });
    expect(told(first.records)).toEqual([`1 ${RUN} limited`, "2 event:paid#0 waiting"]);
    expect(first.next).toMatchObject({ dueAt: NOW + 70 });
    expect(step(state, { at: NOW + 69, versionTimeoutMs: 5 }).next).toMatchObject({ type: "park", dueAt: NOW + 70 });
    expect(step(state, { at: NOW + 70 }).next).toMatchObject({ status: "failed" });
  });

  it("of the version counts before it is recorded, and not beside one of the run's own", () => {
    expect(step(run(), { at: NOW + 70, versionTimeoutMs: 70 }).next).toMatchObject({ status: "failed" });
    const own = step(run({ timeoutMs: 900 }), { commands: [wait], versionTimeoutMs: 70 });
    expect(own.records).toHaveLength(1);
    expect(own.next).toMatchObject({ dueAt: NOW + 900 });
    expect(step(run(), { commands: [{ type: "run.completed" }], versionTimeoutMs: 70 }).records).toHaveLength(1);
  });

  it("stands still while the run is paused or stalled", () => {
    const state = run({ timeoutMs: 300 });
    carryOut(state, { commands: [wait] });
    const paused = carryOut(state, { at: NOW + 900, mail: [mail(1, { kind: "pause" })] });
    expect(paused.next).toEqual({ type: "park", status: "paused", dueAt: null });
    expect(step(state, { at: NOW + 900, mail: [mail(2, { kind: "resume" })] }).next).toMatchObject({
      status: "failed",
    });
    const stalled = run({ timeoutMs: 300 }, { status: "stalled" });
    expect(step(stalled, { at: NOW + 900 }).next).toMatchObject({ status: "stalled" });
  });

  it("covers the attempts of the handler together, and begins again for a run that is opened again", () => {
    const state = run({ timeoutMs: 300 });
    carryOut(state, { commands: [retry(200)] });
    carryOut(state, { at: NOW + 205 });
    expect(step(state, { at: NOW + 300 }).next).toMatchObject({ status: "failed" });
    const failed = carryOut(state, { at: NOW + 300 });
    expect(failed.next).toMatchObject({ type: "end" });
    const reopened: HistoryRecord = {
      n: state.records.length + 1,
      kind: "run",
      key: RUN,
      value: { state: "retried", runAttempt: 3, reopenedAt: NOW + 5_000 },
    };
    const again = run({ timeoutMs: 300 }, { records: [...state.records, reopened] });
    expect(step(again, { at: NOW + 5_299, commands: [wait] }).next).toMatchObject({ dueAt: NOW + 5_300 });
    expect(step(again, { at: NOW + 5_300 }).next).toMatchObject({ status: "failed" });
  });
});
