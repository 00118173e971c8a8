import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { Trouble } from "../../../src/core/run.js";
import type { Store } from "../../../src/store/port.js";
import {
  type Arena,
  claimAll,
  commit,
  databaseNow,
  end,
  event,
  hold,
  LEASE_MS,
  message,
  NS,
  newRun,
  park,
  suspend,
  taskDone,
  transition,
  waiting,
} from "./arena.js";

const UNSERVED: Trouble = { code: "WORKFLOW_NOT_SERVED", message: "nobody", at: 1_000, deliveries: 0 };
const VERSION = { workflow: "checkout", version: "1.0.0" };

export function leasingTests(given: () => Arena): void {
  it("claims what is due, longest due first, up to the limit", async () => {
    const [store] = given().stores;
    const runs = [newRun(), newRun(), newRun()] as const;
    for (const run of runs) {
      await store.start(run, undefined);
      await tick(store);
    }
    const first = await store.claim({ limit: 2, leaseMs: LEASE_MS });
    expect(first.map(({ facts }) => facts.id).sort()).toEqual([runs[0].facts.id, runs[1].facts.id].sort());
    expect((await claimAll(store)).map(({ facts }) => facts.id)).toEqual([runs[2].facts.id]);
    expect(await claimAll(store)).toEqual([]);
  });

  it("claims one run alone, under the same conditions as any", async () => {
    const [store] = given().stores;
    const [one, other] = [newRun(), newRun()];
    for (const run of [one, other]) await store.start(run, undefined);
    const only = { ns: NS, runId: one.facts.id };
    const claimed = await store.claim({ limit: 1, leaseMs: LEASE_MS, only });
    expect(claimed).toMatchObject([{ facts: { id: one.facts.id }, fence: { gen: 1 }, tries: 1 }]);
    expect(await store.claim({ limit: 1, leaseMs: LEASE_MS, only })).toEqual([]);
    expect(await store.claim({ limit: 1, leaseMs: LEASE_MS, only: { ns: "other", runId: other.facts.id } })).toEqual(
      [],
    );
    expect((await claimAll(store)).map(({ facts }) => facts.id)).toEqual([other.facts.id]);
  });

  it("lists what a claim would take, and takes nothing", async () => {
    const [store] = given().stores;
    const [free, held] = [newRun(), await hold(store)];
    await store.start(free, undefined);
    const due = [{ ns: NS, runId: free.facts.id }];
    expect(await store.dueRuns(10)).toEqual(due);
    expect(await store.dueRuns(10)).toEqual(due);
    await store.extend(NS, held.facts.id, held.fence.gen, 1);
    await expect.poll(() => store.dueRuns(10)).toHaveLength(2);
    expect(await store.dueRuns(1)).toHaveLength(1);
  });

  it("says when a run wakes by itself: at its timer, at the end of its lease, or only for news", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const now = await databaseNow(store);
    const { id } = run.facts;
    expect(await store.wakesAt(NS, id)).toBeGreaterThan(now + LEASE_MS / 2);
    const at = now + 60_000;
    await commit(store, run, { next: { type: "park", status: "suspended", dueAt: at } });
    expect(await store.wakesAt(NS, id)).toBe(at);
    const quiet = await hold(store);
    await commit(store, quiet, { records: [waiting(1, "news")], next: park("suspended") });
    expect(await store.wakesAt(NS, quiet.facts.id)).toBeNull();
    const over = await hold(store);
    await end(store, over);
    expect(await store.wakesAt(NS, over.facts.id)).toBeUndefined();
    expect(await store.wakesAt(NS, "run_unknown")).toBeUndefined();
  });

  it("gives a claim the history, the unread mail and the events that wait", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    for (const name of ["a", "b", "c"]) await store.append(message(run, event(name)), 10);
    const records = [taskDone(1), taskDone(2), waiting(3, "z")];
    await commit(store, run, { seen: 2, queued: [2, 1], records, next: park("suspended") });
    const [claimed] = await claimAll(store);
    expect(claimed).toMatchObject({
      facts: run.facts,
      seen: 2,
      queued: [
        { n: 2, body: { name: "b" } },
        { n: 1, body: { name: "a" } },
      ],
      mail: [{ n: 3, body: { name: "c" } }],
      tries: 1,
    });
    expect(claimed?.records).toEqual(records);
  });

  it("shows a claimed run as running, and tells the holder what it was", async () => {
    const [store] = given().stores;
    const run = await suspend(store, await hold(store));
    await store.append(message(run), 10);
    expect((await claimAll(store))[0]?.status).toBe("suspended");
    expect((await store.getRun(NS, run.facts.id))?.status).toBe("running");
    expect((await store.load(NS, run.facts.id))?.status).toBe("running");
  });

  it("leaves a paused or stalled run what it is while it is claimed", async () => {
    const [store] = given().stores;
    for (const status of ["paused", "stalled"] as const) {
      const run = await hold(store);
      await commit(store, run, { paused: status === "paused", next: park(status) });
      await store.append(message(run), 10);
      expect(await claimAll(store)).toMatchObject([{ status, paused: status === "paused" }]);
      expect((await store.getRun(NS, run.facts.id))?.status).toBe(status);
      expect((await store.load(NS, run.facts.id))?.status).toBe(status);
    }
  });

  it("claims a run whose lease has run out, under a new generation", async () => {
    const [store] = given().stores;
    const lost = newRun();
    await store.start(lost, 1);
    const claimed = await untilClaimed(store);
    expect(claimed).toMatchObject({
      facts: { id: lost.facts.id },
      fence: { gen: 2, seq: 0 },
      tries: 2,
      status: "running",
    });
  });

  it("extends a lease for its own generation only", async () => {
    const [store] = given().stores;
    const run = newRun();
    await store.start(run, 200);
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toEqual({ cancelRequested: false });
    expect(await store.extend(NS, run.facts.id, 2, LEASE_MS)).toBeUndefined();
    expect(await store.extend("elsewhere", run.facts.id, 1, LEASE_MS)).toBeUndefined();
    expect(await store.extend(NS, newId("run"), 1, LEASE_MS)).toBeUndefined();
    await tick(store, 300);
    expect(await claimAll(store)).toEqual([]);
  });

  it("tells with an extension that a cancel waits to be read", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await store.append(message(run, { kind: "pause" }), 10);
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toEqual({ cancelRequested: false });
    await store.append(message(run, { kind: "cancel", reason: undefined }), 10);
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toEqual({ cancelRequested: true });
    await commit(store, run, { seen: 2 });
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toEqual({ cancelRequested: false });
  });

  it("does not lease a parked run again when an extension comes late", async () => {
    const [store] = given().stores;
    const run = await suspend(store, await hold(store));
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toBeUndefined();
    expect(await store.bump(NS, run.facts.id, 1, LEASE_MS)).toBeUndefined();
    await store.release(NS, run.facts.id, 1);
    expect(await claimAll(store)).toEqual([]);
  });

  it("gives the holder a new generation after an unknown outcome", async () => {
    const [store] = given().stores;
    const run = await commit(store, await hold(store), { records: [taskDone(1)] });
    await store.append(message(run), 10);
    expect(await store.bump(NS, run.facts.id, 1, LEASE_MS)).toEqual({ gen: 2, seq: 1, tries: 1, mailSeq: 1 });
    expect(await store.bump(NS, run.facts.id, 1, LEASE_MS)).toBeUndefined();
    expect(await store.bump("elsewhere", run.facts.id, 2, LEASE_MS)).toBeUndefined();
    expect(await store.commit(transition(run), LEASE_MS)).toEqual({ type: "fenced" });
    expect(await store.commit(transition(run, { fence: { ...run.fence, gen: 2 } }), LEASE_MS)).toMatchObject({
      type: "committed",
    });
  });

  it("lets a lease go: the run is due at once", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await store.release("elsewhere", run.facts.id, 1);
    await store.release(NS, run.facts.id, 2);
    expect(await claimAll(store)).toEqual([]);
    await store.release(NS, run.facts.id, 1);
    expect((await store.getRun(NS, run.facts.id))?.status).toBe("queued");
    expect(await claimAll(store)).toMatchObject([{ facts: { id: run.facts.id }, fence: { gen: 2 } }]);
  });

  it("knows the last commit, also of a run that has ended", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect(await store.lastCommit(NS, run.facts.id)).toEqual({ gen: 1, commitId: undefined });
    const next = await commit(store, run, { commitId: "first" });
    expect(await store.lastCommit(NS, run.facts.id)).toEqual({ gen: 1, commitId: "first" });
    await end(store, next, { commitId: "last" });
    expect(await store.lastCommit(NS, run.facts.id)).toEqual({ gen: 1, commitId: "last" });
    expect(await store.lastCommit("elsewhere", run.facts.id)).toBeUndefined();
  });

  it("loads a live run whoever holds it, and no other", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect(await store.load(NS, run.facts.id)).toEqual(run);
    expect(await store.load("elsewhere", run.facts.id)).toBeUndefined();
    await end(store, run);
    expect(await store.load(NS, run.facts.id)).toBeUndefined();
  });

  it("wakes the runs that wait for an endpoint of a version, and no others", async () => {
    const [store] = given().stores;
    const later = store.now().latest + 3_600_000;
    const unserved = async (run = newRun()) => {
      const held = await hold(store, run);
      await commit(store, held, { trouble: UNSERVED, next: park("queued", later) });
      return held.facts.id;
    };
    const ids = [await unserved(), await unserved()];
    await unserved(newRun({ version: "2.0.0" }));
    await unserved(newRun({ workflow: "other" }));
    await unserved(newRun({ ns: "elsewhere" }));
    await commit(store, await hold(store), { trouble: { ...UNSERVED, code: "BUSY" }, next: park("queued", later) });
    await commit(store, await hold(store), { trouble: UNSERVED, next: park("stalled") });
    expect(await store.wakeUnserved(NS, [])).toBe(0);
    expect(await store.wakeUnserved(NS, [VERSION, { workflow: "none", version: "9" }])).toBe(2);
    expect((await claimAll(store)).map(({ facts }) => facts.id).sort()).toEqual(ids.sort());
    expect(await store.wakeUnserved(NS, [VERSION])).toBe(0);
  });

  it("tells when the next parked run is due", async () => {
    const [store] = given().stores;
    expect(await store.nextDueAt()).toBeUndefined();
    await hold(store);
    expect(await store.nextDueAt()).toBeUndefined();
    const soon = store.now().latest + 50_000;
    await commit(store, await hold(store), { next: park("suspended", soon + 1_000) });
    await commit(store, await hold(store), { next: park("suspended", soon) });
    expect(await store.nextDueAt()).toBe(soon);
  });

  it("is never early", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const dueAt = store.now().latest + 60;
    await commit(store, run, { next: park("suspended", dueAt) });
    const claimed = await untilClaimed(store);
    expect(claimed.facts.id).toBe(run.facts.id);
    expect(store.now().latest).toBeGreaterThanOrEqual(dueAt);
  });

  it("knows an interval that holds the database's time, and that never runs back", async () => {
    const [store] = given().stores;
    let last = store.now();
    expect(last.earliest).toBeLessThanOrEqual(last.latest);
    for (let i = 0; i < 20; i++) {
      const run = await hold(store);
      const now = store.now();
      expect(now.latest).toBeGreaterThanOrEqual(run.facts.createdAt);
      expect(now.latest).toBeGreaterThanOrEqual(last.earliest);
      last = now;
    }
  });
}

/** Lets the database's clock go on. */
async function tick(store: Store, ms = 2): Promise<void> {
  const from = databaseNow(store);
  while (databaseNow(store) < from + ms) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await store.ping();
  }
}

async function untilClaimed(store: Store) {
  for (;;) {
    const [claimed] = await claimAll(store);
    if (claimed) return claimed;
    await tick(store);
  }
}
