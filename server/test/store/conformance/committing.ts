import type { WireError } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { Trouble } from "../../../src/core/run.js";
import {
  type Arena,
  claimAll,
  commit,
  databaseNow,
  END,
  end,
  event,
  hold,
  LEASE_MS,
  MOST_BYTES,
  message,
  NS,
  newChild,
  newRun,
  park,
  suspend,
  taskDone,
  transition,
  waiting,
} from "./arena.js";

const TROUBLE: Trouble = {
  code: "ENDPOINT_ERROR",
  message: "500\u0000\ud800",
  at: 1_000,
  deliveries: 3,
  since: 900,
  lost: 1,
};
const ERROR: WireError = {
  name: "Error",
  message: "no\u0000",
  code: "X",
  stack: "at\ud800",
  cause: { name: "E", message: "" },
};

export function committingTests(given: () => Arena): void {
  it("keeps the run with its holder", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect(await store.commit(transition(run, { records: [taskDone(1)] }), LEASE_MS)).toEqual({
      type: "committed",
      mailSeq: 0,
    });
    const after = await store.load(NS, run.facts.id);
    expect(after).toMatchObject({ fence: { ...run.fence, seq: 1 }, status: "running", records: [taskDone(1)] });
    expect(await claimAll(store)).toEqual([]);
  });

  it("extends the lease with each commit that keeps it", async () => {
    const [store] = given().stores;
    const outcome = await store.start(newRun(), 300);
    if (outcome.type !== "created" || !outcome.held) throw new Error("not held");
    await store.commit(transition(outcome.held), LEASE_MS);
    const from = databaseNow(store);
    while (databaseNow(store) < from + 400) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await claimAll(store)).toEqual([]);
  });

  it("parks until a timer", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const dueAt = store.now().latest + 60_000;
    await commit(store, run, { next: park("suspended", dueAt) });
    expect(await store.getRun(NS, run.facts.id)).toMatchObject({ status: "suspended", nextAt: dueAt });
    expect(await claimAll(store)).toEqual([]);
  });

  it("parks until a message, and tells of one that came before", async () => {
    const [store] = given().stores;
    const quiet = await suspend(store, await hold(store));
    expect((await store.getRun(NS, quiet.facts.id))?.nextAt).toBeUndefined();

    const run = await hold(store);
    await store.append(message(run), 10);
    const parked = transition(run, { records: [waiting(1)], next: park("suspended") });
    expect(await store.commit(parked, LEASE_MS)).toEqual({ type: "committed", mailSeq: 1 });
    expect((await claimAll(store)).map(({ facts }) => facts.id)).toEqual([run.facts.id]);
  });

  it("parks quietly when the mail was read", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await store.append(message(run), 10);
    await commit(store, run, { seen: 1, records: [waiting(1)], next: park("suspended") });
    expect(await claimAll(store)).toEqual([]);
  });

  it("writes nothing under another generation, sequence or epoch, or without the lease", async () => {
    const [store] = given().stores;
    const run = await commit(store, await hold(store), { records: [taskDone(1)] });
    const child = newChild(run, "child:courier:1:a#0");
    const told = await hold(store);
    const wrong = { records: [taskDone(2)], children: [child], messages: [message(told)], seen: 0 };
    for (const fence of [
      { ...run.fence, gen: 2 },
      { ...run.fence, seq: 0 },
      { ...run.fence, seq: 2 },
      { ...run.fence, epoch: run.fence.epoch + 1 },
    ]) {
      for (const next of [{ type: "keep" } as const, park("suspended"), END]) {
        expect(await store.commit(transition(run, { ...wrong, fence, next }), LEASE_MS)).toEqual({ type: "fenced" });
        expect(await store.commit(transition(run, { fence, next }), LEASE_MS)).toEqual({ type: "fenced" });
      }
    }
    const parked = await suspend(store, run);
    expect(await store.commit(transition(parked, wrong), LEASE_MS)).toEqual({ type: "fenced" });
    expect(await store.commit(transition(parked, { ns: "elsewhere" }), LEASE_MS)).toEqual({ type: "fenced" });
    expect(await store.commit(transition(parked, { runId: newId("run") }), LEASE_MS)).toEqual({ type: "fenced" });
    expect((await store.readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records.map(({ n }) => n)).toEqual([1, 2]);
    expect(await store.getRun(NS, child.facts.id)).toBeUndefined();
    expect(await store.readMail(NS, told.facts.id, 0)).toEqual([]);
  });

  it("ends a run", async () => {
    const [store] = given().stores;
    const before = databaseNow(store);
    const run = await hold(store);
    const record = {
      n: 1,
      kind: "run",
      key: "run:#0",
      value: { state: "completed", output: { ok: "\u0000\ud800" } },
    } as const;
    expect(await end(store, run, { records: [record], next: { ...END, output: { ok: "\u0000\ud800" } } })).toEqual({
      type: "committed",
      mailSeq: 0,
    });
    const after = await store.getRun(NS, run.facts.id);
    expect(after).toMatchObject({ status: "completed", output: { ok: "\u0000\ud800" }, records: 1, waitsFor: [] });
    expect(after?.endedAt).toBeGreaterThanOrEqual(before);
    expect(after && "error" in after).toBe(false);
    expect(await store.commit(transition(run), LEASE_MS)).toEqual({ type: "fenced" });
    expect(await end(store, { ...run, fence: { ...run.fence, seq: 1 } })).toEqual({ type: "fenced" });
    expect(await claimAll(store)).toEqual([]);
  });

  it("keeps why a run failed or was cancelled", async () => {
    const [store] = given().stores;
    const failed = await hold(store);
    await end(store, failed, { next: { ...END, status: "failed", error: ERROR, failedTask: "task:charge:abc#0" } });
    expect(await store.getRun(NS, failed.facts.id)).toMatchObject({
      status: "failed",
      error: ERROR,
      failedTask: "task:charge:abc#0",
    });
    const cancelled = await hold(store);
    await end(store, cancelled, { next: { ...END, status: "cancelled", reason: "changed\u0000 mind" } });
    expect(await store.getRun(NS, cancelled.facts.id)).toMatchObject({
      status: "cancelled",
      reason: "changed\u0000 mind",
    });
  });

  it("tells an output of null from none", async () => {
    const [store] = given().stores;
    const [none, nil] = [await hold(store), await hold(store)];
    await end(store, none);
    await end(store, nil, { next: { ...END, output: null } });
    expect((await store.getRun(NS, nil.facts.id))?.output).toBeNull();
    expect("output" in ((await store.getRun(NS, none.facts.id)) ?? {})).toBe(false);
  });

  it("does not end a run while a control message is unread", async () => {
    const [store] = given().stores;
    for (const body of [{ kind: "cancel", reason: undefined }, { kind: "pause" }, { kind: "resume" }] as const) {
      for (const messages of [[], [message(await hold(store))]]) {
        const run = await hold(store);
        await store.append(message(run), 10);
        await store.append(message(run, body), 10);
        expect(await end(store, run, { seen: 1, messages, records: [taskDone(1)] })).toEqual({ type: "unread" });
        expect((await store.readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records).toEqual([]);
        expect(await end(store, { ...run, fence: { ...run.fence, gen: 7 } }, { seen: 1 })).toEqual({ type: "fenced" });
        expect(await end(store, run, { seen: 2, messages })).toEqual({ type: "committed", mailSeq: 2 });
      }
    }
  });

  it("ends a run whose unread mail controls nothing", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await store.append(message(run), 10);
    await store.append(message(run, { kind: "wakeup" }), 10);
    expect(await end(store, run)).toEqual({ type: "committed", mailSeq: 2 });
  });

  it("keeps what the holder says of the run", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await store.append(message(run, event("a", 1)), 10);
    await store.append(message(run, { kind: "pause" }), 10);
    await commit(store, run, { seen: 2, queued: [1], paused: true, trouble: TROUBLE, next: park("paused") });
    expect(await store.load(NS, run.facts.id)).toMatchObject({
      status: "paused",
      paused: true,
      seen: 2,
      queued: [{ n: 1, body: { kind: "event", name: "a", data: 1 } }],
      mail: [],
      trouble: TROUBLE,
    });
    expect((await store.getRun(NS, run.facts.id))?.trouble).toEqual(TROUBLE);
    await store.append(message(run, { kind: "resume" }), 10);
    const [claimed] = await claimAll(store);
    if (!claimed) throw new Error("not claimed");
    await commit(store, claimed, { seen: 3, queued: [], paused: false });
    const after = await store.load(NS, run.facts.id);
    expect(after).toMatchObject({ status: "running", paused: false, queued: [], seen: 3 });
    expect(after?.trouble).toBeUndefined();
  });

  it("counts tries until a new record or a park", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const tries = async () => (await store.load(NS, run.facts.id))?.tries;
    await store.bump(NS, run.facts.id, 1, LEASE_MS);
    expect(await tries()).toBe(2);
    const bumped = { ...run, fence: { ...run.fence, gen: 2 } };
    const kept = await commit(store, bumped);
    expect(await tries()).toBe(2);
    const recorded = await commit(store, kept, { records: [taskDone(1)] });
    expect(await tries()).toBe(0);
    await store.bump(NS, run.facts.id, 2, LEASE_MS);
    expect(await tries()).toBe(1);
    const again = { ...recorded, fence: { ...recorded.fence, gen: 3 } };
    await commit(store, again, { trouble: TROUBLE, next: park("queued", store.now().latest + 60_000) });
    expect(await tries()).toBe(0);

    // The same in a commit that tells others.
    const [other, to] = [await hold(store), await hold(store)];
    const told = await commit(store, other, { messages: [message(to)] });
    expect((await store.load(NS, other.facts.id))?.tries).toBe(1);
    await commit(store, told, { messages: [message(to)], records: [taskDone(1)] });
    expect((await store.load(NS, other.facts.id))?.tries).toBe(0);
  });

  it("starts children", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const [now, later] = [
      newChild(run, "child:courier:1:a#0", { input: "\u0000" }),
      newChild(run, "child:courier:1:a#1"),
    ];
    await commit(store, run, { children: [now, { ...later, delayMs: 60_000 }] });
    const claimed = await claimAll(store);
    expect(claimed).toMatchObject([{ facts: now.facts, fence: { gen: 1, seq: 0 }, status: "queued" }]);
    expect(await store.getRun(NS, later.facts.id)).toMatchObject({ status: "scheduled", parent: run.facts.id });
    expect((await store.listRuns(NS, { parent: run.facts.id }, undefined, 10)).runs.map(({ id }) => id).sort()).toEqual(
      [now.facts.id, later.facts.id].sort(),
    );
  });

  it("starts one child per parent and key", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const child = newChild(run, "child:courier:1:a#0");
    const next = await commit(store, run, { children: [child], records: [taskDone(1)] });
    await commit(store, next, { children: [child], records: [taskDone(2)] });
    expect((await store.listRuns(NS, { parent: run.facts.id }, undefined, 10)).runs).toHaveLength(1);
    expect((await store.readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records).toHaveLength(2);
  });

  it("tells the parent of an end", async () => {
    const [store] = given().stores;
    const held = await hold(store);
    const child = newChild(held, "child:courier:1:a#0");
    await suspend(store, await commit(store, held, { children: [child] }));
    const [run] = await claimAll(store);
    if (!run) throw new Error("not claimed");
    const body = {
      kind: "child",
      key: "child:courier:1:a#0",
      status: "completed",
      output: 7,
      error: undefined,
    } as const;
    await end(store, run, { messages: [message(held, body, `child-ended:${run.facts.id}`)] });
    expect(await claimAll(store)).toMatchObject([{ facts: { id: held.facts.id }, mail: [{ n: 1, body }] }]);
  });

  it("tells several, several times, in the order of the messages", async () => {
    const [store] = given().stores;
    const [run, a, b] = [await hold(store), await hold(store), await suspend(store, await hold(store))];
    const bodies = [0, 1, 2, 3].map((i) => event("count", i));
    await commit(store, run, { messages: bodies.flatMap((body) => [message(a, body), message(b, body)]) });
    for (const to of [a, b]) {
      expect(await store.readMail(NS, to.facts.id, 0)).toMatchObject(bodies.map((body, i) => ({ n: i + 1, body })));
    }
    expect((await claimAll(store)).map(({ facts }) => facts.id)).toEqual([b.facts.id]);
  });

  it("does not tell twice, nor who has ended, nor who is unknown", async () => {
    const [store] = given().stores;
    const [run, to, ended] = [await hold(store), await hold(store), await hold(store)];
    await end(store, ended);
    const once = message(to);
    const messages = [once, message(ended), { ...once, runId: newId("run") }];
    const next = await commit(store, run, { messages, records: [taskDone(1)] });
    await commit(store, next, { messages: [once, message(to)], records: [taskDone(2)] });
    expect((await store.readMail(NS, to.facts.id, 0)).map(({ n }) => n)).toEqual([1, 2]);
    expect(await store.readMail(NS, ended.facts.id, 0)).toEqual([]);
  });

  it("makes a told cancel count as one", async () => {
    const [store] = given().stores;
    const [parent, child] = [await hold(store), await hold(store)];
    const cancel = message(child, { kind: "cancel", reason: "its parent was cancelled" });
    await end(store, parent, { messages: [cancel], next: { ...END, status: "cancelled" } });
    expect(await store.extend(NS, child.facts.id, 1, LEASE_MS)).toEqual({ cancelRequested: true });
    expect(await end(store, child)).toEqual({ type: "unread" });
  });

  it("merges many commits without mixing them", async () => {
    const [store] = given().stores;
    const runs = await Promise.all(Array.from({ length: 300 }, () => hold(store)));
    const outcomes = await Promise.all(
      runs.map((run, i) => {
        const fence = i % 3 === 2 ? { ...run.fence, gen: 9 } : run.fence;
        const next = i % 3 === 1 ? { ...END, output: i } : ({ type: "keep" } as const);
        const records = [taskDone(1, "charge", i), taskDone(2, "charge", `"{${i}\\,`)];
        return store.commit(transition(run, { fence, records, next }), LEASE_MS);
      }),
    );
    expect(outcomes.map(({ type }) => type)).toEqual(runs.map((_, i) => (i % 3 === 2 ? "fenced" : "committed")));
    for (const [i, run] of runs.entries()) {
      const history = (await store.readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records.map(
        ({ at: _, ...record }) => record,
      );
      expect(history).toEqual(i % 3 === 2 ? [] : [taskDone(1, "charge", i), taskDone(2, "charge", `"{${i}\\,`)]);
      if (i % 3 === 1) expect((await store.getRun(NS, run.facts.id))?.output).toBe(i);
    }
  });
}
