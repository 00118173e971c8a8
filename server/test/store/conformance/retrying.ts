import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { LoadedRun } from "../../../src/core/run.js";
import type { Store } from "../../../src/store/port.js";
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
  message,
  NS,
  newChild,
  newRun,
  park,
  pick,
  suspend,
  taskDone,
  transition,
  waiting,
} from "./arena.js";

const KEY = "child:courier:1:a#0";
const FAILED = { ...END, status: "failed", error: { name: "Error", message: "no" } } as const;

async function fail(store: Store, run: LoadedRun): Promise<void> {
  const records = [
    { n: run.records.length + 1, kind: "run", key: "run:#0", value: { state: "failed", error: FAILED.error } } as const,
  ];
  expect((await end(store, run, { records, next: FAILED })).type).toBe("committed");
}

async function failed(store: Store): Promise<LoadedRun> {
  const run = await commit(store, await hold(store), { records: [taskDone(1)] });
  await fail(store, run);
  return run;
}

async function claimOne(store: Store, id: string): Promise<LoadedRun> {
  const claimed = (await claimAll(store)).find(({ facts }) => facts.id === id);
  if (!claimed) throw new Error(`${id} was not claimed`);
  return claimed;
}

/** A parent that failed while its child runs, and the child. */
export async function orphaned(
  store: Store,
): Promise<{ parent: LoadedRun; child: LoadedRun; ended: ReturnType<typeof message> }> {
  const parent = await hold(store);
  const started = newChild(parent, KEY);
  const next = await commit(store, parent, { children: [started], records: [taskDone(1)] });
  const child = await claimOne(store, started.facts.id);
  await fail(store, next);
  const body = { kind: "child", key: KEY, status: "completed", output: 7, error: undefined } as const;
  return { parent: next, child, ended: message(parent, body, `child-ended:${child.facts.id}`) };
}

export function retryingTests(given: () => Arena): void {
  it("opens a failed run again, under a generation that nobody has had", async () => {
    const [store] = given().stores;
    const run = await failed(store);
    expect(await store.getRun(NS, run.facts.id)).toMatchObject({ status: "failed", runAttempt: 1 });
    const before = databaseNow(store);
    expect(await store.retry(NS, run.facts.id, newId("msg"))).toEqual({ type: "retried" });
    const view = await store.getRun(NS, run.facts.id);
    expect(view).toMatchObject({ status: "queued", runAttempt: 2, records: 3, waitsFor: [] });
    for (const gone of ["endedAt", "error", "trouble"]) expect(view && gone in view).toBe(false);
    const claimed = await claimOne(store, run.facts.id);
    expect(claimed).toMatchObject({ facts: run.facts, status: "queued", paused: false, tries: 1, fence: { seq: 0 } });
    expect(claimed.fence.gen).toBeGreaterThan(run.fence.gen);
    const [done, ending, retried] = claimed.records;
    expect([done, ending?.value.state]).toEqual([taskDone(1), "failed"]);
    expect(retried).toMatchObject({ n: 3, kind: "run", key: "run:#0", value: { state: "retried", runAttempt: 2 } });
    const { value } = retried as Extract<typeof retried, { kind: "run" }>;
    expect(value.state === "retried" && value.reopenedAt).toBeGreaterThanOrEqual(before);
    expect((await store.countLive(NS)).map(({ live }) => live)).toEqual([1]);
    await end(store, claimed, { seen: 1 });
    expect(await store.getRun(NS, run.facts.id)).toMatchObject({ status: "completed", runAttempt: 2 });
  });

  it("counts the attempts of a run that fails again and again", async () => {
    const [store] = given().stores;
    const { facts } = await failed(store);
    for (let attempt = 2; attempt < 5; attempt++) {
      await store.retry(NS, facts.id, newId("msg"));
      expect((await store.getRun(NS, facts.id))?.runAttempt).toBe(attempt);
      await fail(store, await claimOne(store, facts.id));
    }
  });

  it("goes on reading the mail where the run stopped", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    for (const name of ["read", "queued", "unread"]) await store.append(message(run, event(name)), 10);
    const queued = (await store.readMail(NS, run.facts.id, 1)).slice(0, 1);
    await fail(store, { ...(await commit(store, run, { seen: 2, queued: [2] })), queued });
    await store.retry(NS, run.facts.id, newId("msg"));
    await store.append(message(run, event("later")), 10);
    const claimed = await claimOne(store, run.facts.id);
    expect(claimed.seen).toBe(2);
    expect(claimed.queued).toMatchObject([{ n: 2, body: { name: "queued" } }]);
    expect(claimed.mail).toMatchObject([
      { n: 3, body: { name: "unread" } },
      { n: 4, body: { kind: "retry" } },
      { n: 5, body: { name: "later" } },
    ]);
    await commit(store, claimed, {
      seen: 5,
      queued: [],
      records: [waiting(claimed.records.length + 1)],
      next: park("suspended"),
    });
    expect(await claimAll(store)).toEqual([]);
  });

  it("refuses a run that has not failed, and tells in which status it is", async () => {
    const [store] = given().stores;
    const retry = (id: string, ns = NS) => store.retry(ns, id, newId("msg"));
    const running = await hold(store);
    expect(await retry(running.facts.id)).toEqual({ type: "not_failed", status: "running" });
    await suspend(store, running);
    expect(await retry(running.facts.id)).toEqual({ type: "not_failed", status: "suspended" });
    for (const status of ["completed", "cancelled"] as const) {
      const run = await hold(store);
      await end(store, run, { next: { ...END, status } });
      expect(await retry(run.facts.id)).toEqual({ type: "not_failed", status });
      expect(await store.readMail(NS, run.facts.id, 0)).toEqual([]);
    }
    const { facts } = await failed(store);
    expect(await retry(facts.id, "elsewhere")).toEqual({ type: "unknown" });
    expect(await retry(newId("run"))).toEqual({ type: "unknown" });
    expect((await store.getRun(NS, facts.id))?.status).toBe("failed");
  });

  it("takes the same request twice for one, also when the run has failed again", async () => {
    const [store] = given().stores;
    const { facts } = await failed(store);
    const id = newId("msg");
    expect(await store.retry(NS, facts.id, id)).toEqual({ type: "retried" });
    expect(await store.retry(NS, facts.id, id)).toEqual({ type: "duplicate" });
    await fail(store, await claimOne(store, facts.id));
    expect(await store.retry(NS, facts.id, id)).toEqual({ type: "duplicate" });
    expect((await store.getRun(NS, facts.id))?.status).toBe("failed");
  });

  it("opens a run that was paused when it failed, and does not leave it paused", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect((await end(store, run, { paused: true, next: FAILED })).type).toBe("committed");
    await store.retry(NS, run.facts.id, newId("msg"));
    expect(await claimOne(store, run.facts.id)).toMatchObject({ paused: false, startAt: undefined });
  });

  it("opens a run once when eight ask for it", async () => {
    const { stores } = given();
    const { facts } = await failed(stores[0]);
    const id = newId("msg");
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, (_, i) => pick(stores, i).retry(NS, facts.id, i % 2 ? id : newId("msg"))),
    );
    expect(outcomes.filter(({ type }) => type === "retried")).toHaveLength(1);
    expect((await stores[0].getRun(NS, facts.id))?.records).toBe(3);
  });

  it("lets nobody from before the retry write", async () => {
    const [store] = given().stores;
    const run = await failed(store);
    await store.retry(NS, run.facts.id, newId("msg"));
    for (const seq of [0, 1, 2]) {
      const zombie = transition({ ...run, fence: { ...run.fence, seq } }, { records: [taskDone(9)] });
      expect(await store.commit(zombie, LEASE_MS)).toEqual({ type: "fenced" });
      expect(await store.commit({ ...zombie, next: FAILED }, LEASE_MS)).toEqual({ type: "fenced" });
    }
    expect(await store.extend(NS, run.facts.id, run.fence.gen, LEASE_MS)).toBeUndefined();
    expect(await store.bump(NS, run.facts.id, run.fence.gen, LEASE_MS)).toBeUndefined();
    const last = await store.lastCommit(NS, run.facts.id);
    expect(last?.gen).not.toBe(run.fence.gen);
  });

  it("keeps a child's end for a parent that has failed, and tells it once", async () => {
    const [store] = given().stores;
    const { parent, child, ended } = await orphaned(store);
    await end(store, child, { messages: [ended] });
    await store.retry(NS, parent.facts.id, newId("msg"));
    const claimed = await claimOne(store, parent.facts.id);
    expect(claimed.mail.map(({ body }) => body.kind)).toEqual(["child", "retry"]);
    expect(claimed.mail[0]).toMatchObject({ n: 1, body: ended.body });
    await commit(store, claimed, { seen: 2, records: [taskDone(4)] });
    const other = await hold(store);
    await commit(store, other, { messages: [ended] });
    expect(await store.readMail(NS, parent.facts.id, 2)).toEqual([]);
  });

  it("loses no child's end that comes while its parent is retried", async () => {
    const { stores } = given();
    const families = [];
    for (let i = 0; i < 40; i++) families.push(await orphaned(stores[0]));
    await Promise.all(
      families.flatMap(({ parent, child, ended }, i) => [
        end(pick(stores, i), child, { messages: [ended] }),
        pick(stores, i + 3).retry(NS, parent.facts.id, newId("msg")),
      ]),
    );
    const claimed = await claimAll(stores[0]);
    for (const { parent } of families) {
      const mail = claimed.find(({ facts }) => facts.id === parent.facts.id)?.mail ?? [];
      expect(mail.map(({ body }) => body.kind).sort()).toEqual(["child", "retry"]);
      expect(mail.map(({ n }) => n)).toEqual([1, 2]);
    }
  });

  it("counts a run's time from when it is due", async () => {
    const [store] = given().stores;
    const at = databaseNow(store) + 400;
    const dated = newRun({}, { trigger: { at } });
    await store.start(dated, undefined);
    const parent = await hold(store);
    const child = { ...newChild(parent, KEY), delayMs: 30 };
    await commit(store, parent, { children: [child] });
    const from = databaseNow(store);
    while (databaseNow(store) < Math.max(at, from + 60)) await new Promise((resolve) => setTimeout(resolve, 10));
    const claimed = await claimAll(store);
    const timedFrom = (id: string) => claimed.find(({ facts }) => facts.id === id)?.facts;
    expect(timedFrom(dated.facts.id)?.timedFrom).toBe(at);
    const late = timedFrom(child.facts.id);
    expect((late?.timedFrom ?? 0) - (late?.createdAt ?? 0)).toBe(30);
    expect(parent.facts.timedFrom).toBe(parent.facts.createdAt);
  });

  it("shows what a retried run waits for, and nothing that the retry has hidden", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const at = store.now().latest + 60_000;
    const error = { name: "Error", message: "no" };
    const retrying = { state: "retrying" as const, attempts: 1, error, nextAttemptAt: at };
    const failing = {
      n: 2,
      kind: "run",
      key: "run:#0",
      value: { state: "retrying", runAttempt: 1, error, nextAttemptAt: at },
    } as const;
    const parked = await commit(store, run, {
      records: [{ n: 1, kind: "task", key: "task:charge:abc#0", value: retrying }, failing],
      next: park("suspended", at),
    });
    expect((await store.getRun(NS, run.facts.id))?.waitsFor).toEqual([
      { kind: "retry", name: "charge", at },
      { kind: "retry", name: "checkout", at },
    ]);
    await store.append(message(run), 10);
    const claimed = await claimOne(store, run.facts.id);
    const retried = { n: 3, kind: "run", key: "run:#0", value: { state: "retried", runAttempt: 2 } } as const;
    await commit(
      store,
      { ...parked, fence: claimed.fence },
      { seen: 1, records: [retried, waiting(4)], next: park("suspended") },
    );
    expect(await store.getRun(NS, run.facts.id)).toMatchObject({
      runAttempt: 2,
      waitsFor: [{ kind: "event", name: "delivered" }],
    });
  });
}
