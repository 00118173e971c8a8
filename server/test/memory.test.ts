import { newId } from "@aikirun/protocol";
import { beforeEach, expect, test } from "vitest";
import type { Commit, LoadedRun, MessageBody, NewRun } from "../src/core/run.js";
import { memoryStore } from "../src/store/memory.js";
import type { Store } from "../src/store/port.js";

let now = 1_000;
let store: Store;

beforeEach(() => {
  now = 1_000;
  store = memoryStore({ now: () => now });
});

function newRun(extra: Partial<NewRun> = {}, facts: Partial<NewRun["facts"]> = {}): NewRun {
  return {
    facts: {
      ns: "default",
      id: newId("run"),
      workflow: "hello",
      version: "1.0.0",
      input: { name: "Ada" },
      reference: undefined,
      retry: undefined,
      timeoutMs: undefined,
      pool: undefined,
      parent: undefined,
      ...facts,
    },
    requestHash: "hash",
    conflictPolicy: "error",
    trigger: undefined,
    ...extra,
  };
}

async function startHeld(): Promise<LoadedRun> {
  const outcome = await store.start(newRun(), 100);
  if (outcome.type !== "created" || !outcome.held) throw new Error("not held");
  return outcome.held;
}

function commitOf(run: LoadedRun, extra: Partial<Commit> = {}): Commit {
  return {
    ns: run.facts.ns,
    runId: run.facts.id,
    fence: run.fence,
    commitId: newId("push"),
    seen: run.seen,
    queued: [],
    paused: false,
    records: [],
    trouble: undefined,
    children: [],
    messages: [],
    next: { type: "park", status: "suspended", dueAt: null },
    ...extra,
  };
}

function send(run: LoadedRun, body: MessageBody, eventId = newId("msg")) {
  return store.append({ ns: run.facts.ns, runId: run.facts.id, eventId, body }, 1_000);
}

const claim = () => store.claim({ limit: 10, leaseMs: 100 });
const end: Commit["next"] = {
  type: "end",
  status: "completed",
  output: 1,
  error: undefined,
  failedTask: undefined,
  reason: undefined,
};

test("a run started leased is claimable only after its lease ran out, under a new generation", async () => {
  const held = await startHeld();
  expect(held.fence).toMatchObject({ gen: 1, seq: 0 });
  now += 100;
  expect(await claim()).toEqual([]);
  now += 1;
  const [taken] = await claim();
  expect(taken).toMatchObject({ fence: { gen: 2, seq: 0 }, tries: 2 });
  expect(await store.commit(commitOf(held), 100)).toEqual({ type: "fenced" });
});

test("a commit raises the sequence, so that it applies once", async () => {
  const held = await startHeld();
  const commit = commitOf(held, { next: { type: "keep" } });
  expect(await store.commit(commit, 100)).toEqual({ type: "committed", mailSeq: 0 });
  expect(await store.commit(commit, 100)).toEqual({ type: "fenced" });
  expect(await store.lastCommit("default", held.facts.id)).toEqual({ gen: 1, commitId: commit.commitId });
});

test("parking with unread mail leaves the run due", async () => {
  const held = await startHeld();
  expect(await send(held, { kind: "wakeup" })).toEqual({ type: "appended", n: 1 });
  expect(await store.commit(commitOf(held), 100)).toEqual({ type: "committed", mailSeq: 1 });
  const [again] = await claim();
  expect(again?.mail.map((mail) => mail.n)).toEqual([1]);
  await store.commit(commitOf(again as LoadedRun, { seen: 1 }), 100);
  expect(await claim()).toEqual([]);
});

test("a terminal commit waits for unread control mail and ignores ordinary mail", async () => {
  const held = await startHeld();
  await send(held, { kind: "event", name: "x", data: 1 });
  await send(held, { kind: "cancel", reason: undefined });
  expect(await store.commit(commitOf(held, { seen: 1, next: end }), 100)).toEqual({ type: "unread" });
  expect(await store.commit(commitOf(held, { seen: 2, next: end }), 100)).toMatchObject({ type: "committed" });
  expect(await send(held, { kind: "wakeup" })).toEqual({ type: "ended", status: "completed" });
  expect(await store.commit(commitOf(held, { fence: { ...held.fence, seq: 1 } }), 100)).toEqual({ type: "fenced" });
});

test("the same event id again is the same message", async () => {
  const held = await startHeld();
  const body = { kind: "event", name: "x", data: 1 } as const;
  expect(await send(held, body, "msg_1")).toEqual({ type: "appended", n: 1 });
  expect(await send(held, body, "msg_1")).toEqual({ type: "duplicate" });
  expect(await send(held, body, "msg_2")).toEqual({ type: "appended", n: 2 });
});

test("events are bounded, control messages are not", async () => {
  const held = await startHeld();
  const event = { ns: "default", runId: held.facts.id, body: { kind: "event", name: "x", data: 1 } } as const;
  expect(await store.append({ ...event, eventId: "a" }, 1)).toMatchObject({ type: "appended" });
  expect(await store.append({ ...event, eventId: "b" }, 1)).toEqual({ type: "too_many_queued" });
  const cancel = { ...event, eventId: "c", body: { kind: "cancel", reason: undefined } } as const;
  expect(await store.append(cancel, 1)).toMatchObject({ type: "appended" });
});

test("one child per parent and key, and its end reaches the parent in the same step", async () => {
  const held = await startHeld();
  const parent = { id: held.facts.id, key: "child:sub:1.0.0:h#0" };
  const child = (id: string) => ({ ...newRun({}, { id, parent }), delayMs: undefined });
  const [first, second] = [newId("run"), newId("run")];
  await store.commit(commitOf(held, { children: [child(first), child(second)] }), 100);
  const claimed = await claim();
  expect(claimed.map((run) => run.facts.id)).toEqual([first]);
  const settle = { kind: "child", key: parent.key, status: "completed", output: 1, error: undefined } as const;
  const message = { ns: "default", runId: parent.id, eventId: "settled", body: settle };
  await store.commit(commitOf(claimed[0] as LoadedRun, { next: end, messages: [message] }), 100);
  const [woken] = await claim();
  expect(woken).toMatchObject({ facts: { id: parent.id }, mail: [{ n: 1, body: { kind: "child" } }] });
});

test("the same start again is the same run; another one with its id or reference is refused", async () => {
  const run = newRun({}, { reference: "order-1" });
  expect(await store.start(run, undefined)).toMatchObject({ type: "created", held: undefined });
  expect(await store.start(run, undefined)).toMatchObject({ type: "existing" });
  expect(await store.start({ ...run, requestHash: "other" }, undefined)).toEqual({ type: "id_conflict" });
  const other = newRun({ requestHash: "other" }, { reference: "order-1" });
  expect(await store.start(other, undefined)).toMatchObject({ type: "reference_conflict" });
  expect(await store.start({ ...other, conflictPolicy: "return_existing" }, undefined)).toMatchObject({
    type: "existing",
    run: { id: run.facts.id },
  });
});

test("a delayed start is not due early, even when a lease is asked for", async () => {
  const outcome = await store.start(newRun({ trigger: { delayMs: 50 } }), 100);
  expect(outcome).toMatchObject({ type: "created", held: undefined, run: { status: "scheduled" } });
  expect(await store.nextDueAt()).toBe(1_050);
  now += 49;
  expect(await claim()).toEqual([]);
  now += 1;
  expect(await claim()).toHaveLength(1);
});

test("extending and bumping need the generation and a lease", async () => {
  const held = await startHeld();
  const id = held.facts.id;
  expect(await store.extend("default", id, 1, 100)).toEqual({ cancelRequested: false });
  await send(held, { kind: "cancel", reason: undefined });
  expect(await store.extend("default", id, 1, 100)).toEqual({ cancelRequested: true });
  expect(await store.bump("default", id, 1, 100)).toEqual({ gen: 2, seq: 0, tries: 2, mailSeq: 1 });
  expect(await store.extend("default", id, 1, 100)).toBeUndefined();
  await store.commit(commitOf(held, { fence: { ...held.fence, gen: 2 }, seen: 1 }), 100);
  expect(await store.extend("default", id, 2, 100)).toBeUndefined();
  expect(await store.bump("default", id, 2, 100)).toBeUndefined();
});

test("a released run is due at once", async () => {
  const held = await startHeld();
  await store.release("default", held.facts.id, 1);
  expect(await claim()).toHaveLength(1);
});

test("runs that wait for an endpoint wake with its versions", async () => {
  const held = await startHeld();
  const trouble = { code: "WORKFLOW_NOT_SERVED", message: "nobody", at: now, deliveries: 1 };
  const next = { type: "park", status: "queued", dueAt: now + 30_000 } as const;
  await store.commit(commitOf(held, { trouble, next }), 100);
  expect(await store.wakeUnserved("default", [{ workflow: "hello", version: "2.0.0" }])).toBe(0);
  expect(await store.wakeUnserved("default", [{ workflow: "hello", version: "1.0.0" }])).toBe(1);
  expect(await claim()).toHaveLength(1);
});
