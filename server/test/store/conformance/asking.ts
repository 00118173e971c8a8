import { childRunId, newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import {
  type Arena,
  commit,
  databaseNow,
  END,
  end,
  hold,
  LEASE_MS,
  MOST_BYTES,
  NS,
  newChild,
  newRun,
  park,
  suspend,
  taskDone,
  waiting,
} from "./arena.js";

export function askingTests(given: () => Arena): void {
  it("shows many runs that are asked for together, each as it is", async () => {
    const [store] = given().stores;
    const runs = await Promise.all([1, 2, 3].map(() => hold(store)));
    const ids = [runs[2]?.facts.id, "run_unknown", runs[0]?.facts.id, runs[2]?.facts.id, runs[1]?.facts.id];
    const shown = await Promise.all(ids.map((id) => store.getRun(NS, id ?? "")));
    expect(shown.map((run) => run?.id)).toEqual(ids.map((id) => (id === "run_unknown" ? undefined : id)));
    expect(await store.getRun("another", runs[0]?.facts.id ?? "")).toBeUndefined();
  });

  it("tells which versions runs are pinned to, of those that exist in the namespace", async () => {
    const [store] = given().stores;
    const [live, over] = [await hold(store, newRun({ version: "2.0.0" })), await hold(store)];
    await end(store, over);
    const ids = [live.facts.id, "run_unknown", over.facts.id, live.facts.id];
    expect(await store.versionsOf(NS, ids)).toEqual(
      new Map([
        [live.facts.id, { workflow: "checkout", version: "2.0.0" }],
        [over.facts.id, { workflow: "checkout", version: "1.0.0" }],
      ]),
    );
    expect((await store.versionsOf("another", ids)).size).toBe(0);
    expect((await store.versionsOf(NS, [])).size).toBe(0);
  });

  it("shows a run with all that it waits for", async () => {
    const [store] = given().stores;
    const run = await hold(store, newRun({ reference: "order-1" }));
    const at = store.now().latest + 60_000;
    const key = "child:courier:1.0.0:abc#0";
    const child = newChild(run, key, { id: childRunId(run.facts.id, key) });
    const error = { name: "Error", message: "again" };
    await commit(store, run, {
      records: [
        taskDone(1),
        { n: 2, kind: "sleep", key: "sleep:grace#0", value: { state: "sleeping", wakeAt: at } },
        { n: 3, kind: "event", key: "event:delivered#0", value: { state: "waiting", timeoutAt: at + 1 } },
        { n: 4, kind: "event", key: "event:paid#0", value: { state: "received", message: 1, data: null } },
        {
          n: 5,
          kind: "task",
          key: "task:charge:def#0",
          value: { state: "retrying", attempts: 1, error, nextAttemptAt: at },
        },
        { n: 6, kind: "child", key, value: { state: "started", runId: child.facts.id } },
        { n: 7, kind: "wait", key: `wait:${key}/completed#0`, value: { state: "waiting" } },
        {
          n: 8,
          kind: "task",
          key: "task:mail:ghi#0",
          value: { state: "retrying", attempts: 1, error, nextAttemptAt: at },
        },
        { n: 9, kind: "task", key: "task:mail:ghi#0", value: { state: "completed", attempts: 2, output: "retrying" } },
      ],
      children: [child],
      next: park("suspended", at),
    });
    const shown = await store.getRun(NS, run.facts.id);
    expect(shown).toEqual({
      id: run.facts.id,
      workflow: "checkout",
      version: "1.0.0",
      status: "suspended",
      reference: "order-1",
      createdAt: run.facts.createdAt,
      input: { cents: 999 },
      runAttempt: 1,
      records: 9,
      nextAt: at,
      waitsFor: [
        { kind: "sleep", name: "grace", at },
        { kind: "event", name: "delivered", at: at + 1 },
        { kind: "retry", name: "charge", at },
        { kind: "child", name: expect.stringContaining("courier:1.0.0:abc"), runId: child.facts.id },
      ],
    });
  });

  it("says that a run waits for an endpoint", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const trouble = { code: "WORKFLOW_NOT_SERVED", message: "nobody", at: 1_000, deliveries: 0 };
    await commit(store, run, { trouble, next: park("queued", store.now().latest + 60_000) });
    expect(await store.getRun(NS, run.facts.id)).toMatchObject({
      status: "queued",
      waitsFor: [{ kind: "endpoint", name: "checkout@1.0.0" }],
      trouble,
    });
  });

  it("shows nothing of a run that is unknown or in another namespace", async () => {
    const [store] = given().stores;
    const run = await hold(store, newRun({ reference: "order-1" }));
    expect(await store.getRun("elsewhere", run.facts.id)).toBeUndefined();
    expect(await store.getRun(NS, newId("run"))).toBeUndefined();
    expect(await store.findByReference("elsewhere", "checkout", "1.0.0", "order-1")).toBeUndefined();
    expect(await store.findByReference(NS, "checkout", "1.0.0", "order-1")).toMatchObject({
      id: run.facts.id,
      status: "running",
    });
    expect(await store.listRuns("elsewhere", {}, undefined, 10)).toEqual({ runs: [], next: undefined });
    expect(await store.readHistory("elsewhere", run.facts.id, 0, 10, MOST_BYTES)).toBeUndefined();
    expect(await store.countLive("elsewhere")).toEqual([]);
  });

  it("lists runs newest first, in pages", async () => {
    const [store] = given().stores;
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      const run = newRun({ id: newId("run", 1_700_000_000_000 + i) });
      ids.unshift(run.facts.id);
      await store.start(run, LEASE_MS);
    }
    const first = await store.listRuns(NS, {}, undefined, 3);
    const second = await store.listRuns(NS, {}, first.next, 3);
    const third = await store.listRuns(NS, {}, second.next, 3);
    const pages = [first, second, third];
    expect(pages.flatMap(({ runs }) => runs).map(({ id }) => id)).toEqual(ids);
    expect(pages.map(({ runs }) => runs.length)).toEqual([3, 3, 1]);
    expect(third.next).toBeUndefined();
  });

  it("filters lists", async () => {
    const [store] = given().stores;
    const suspended = await suspend(store, await hold(store, newRun({ reference: "order-1" })));
    const ended = await hold(store, newRun({ version: "2.0.0" }));
    await end(store, ended, { next: { ...END, status: "failed", error: { name: "E", message: "" } } });
    const parent = await hold(store, newRun({ workflow: "other" }));
    const child = newChild(parent, "child:courier:1:a#0");
    await commit(store, parent, { children: [child] });
    const found = async (filter: Parameters<typeof store.listRuns>[1]) =>
      (await store.listRuns(NS, filter, undefined, 10)).runs.map(({ id }) => id).sort();
    const ids = (...runs: { facts: { id: string } }[]) => runs.map(({ facts }) => facts.id).sort();
    expect(await found({ status: ["suspended"] })).toEqual(ids(suspended));
    expect(await found({ status: ["failed"] })).toEqual(ids(ended));
    expect(await found({ status: ["failed", "running"] })).toEqual(ids(ended, parent));
    expect(await found({ status: [] })).toEqual([]);
    expect(await found({ workflow: "checkout" })).toEqual(ids(suspended, ended));
    expect(await found({ workflow: "checkout", version: "2.0.0" })).toEqual(ids(ended));
    expect(await found({ reference: "order-1" })).toEqual(ids(suspended));
    expect(await found({ parent: parent.facts.id })).toEqual(ids(child));
    const later = databaseNow(store) + 60_000;
    expect(await found({ createdBefore: later, createdAfter: suspended.facts.createdAt - 1 })).toHaveLength(4);
    expect(await found({ createdAfter: later })).toEqual([]);
    expect(await found({ createdBefore: suspended.facts.createdAt })).toEqual([]);
    expect(await found({ q: "ord" })).toEqual(ids(suspended));
    expect(await found({ q: "rder-1" })).toEqual([]);
    expect(await found({ q: ended.facts.id })).toEqual(ids(ended));
    expect(await found({ q: ended.facts.id.slice("run_".length, -1) })).toEqual(ids(ended));
    expect(await found({ q: "run_" })).toHaveLength(4);
    expect(await found({ q: "ord", status: ["failed"] })).toEqual([]);
    expect(await found({ q: "%", status: ["suspended"] })).toEqual([]);
    expect(await found({ status: ["failed"], createdAfter: suspended.facts.createdAt - 1 })).toEqual(ids(ended));
    expect(await found({ status: ["suspended", "failed"], workflow: "checkout" })).toEqual(ids(suspended, ended));
  });

  it("gives the history in pages, each record with the instant of its commit", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect((await store.readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records).toEqual([]);
    const first = await commit(store, run, { records: [taskDone(1), taskDone(2)] });
    await commit(store, first, { records: [taskDone(3), waiting(4)], next: park("suspended") });
    const all = (await store.readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records ?? [];
    expect(all.map(({ at: _, ...record }) => record)).toEqual([taskDone(1), taskDone(2), taskDone(3), waiting(4)]);
    expect(all.every(({ at }, i) => at >= (all[i - 1]?.at ?? run.facts.createdAt))).toBe(true);
    expect((await store.readHistory(NS, run.facts.id, 1, 2, MOST_BYTES))?.records.map(({ n }) => n)).toEqual([2, 3]);
    expect((await store.readHistory(NS, run.facts.id, 4, 2, MOST_BYTES))?.records).toEqual([]);
    expect(await store.readHistory(NS, newId("run"), 0, 2, MOST_BYTES)).toBeUndefined();
  });

  it("ends a page of history with the record that fills it, and says whether there is more", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const large = (n: number) => taskDone(n, "big", "é".repeat(500));
    await commit(store, run, { records: [large(1), large(2), large(3)] });
    const page = async (after: number, limit: number, maxBytes: number) => {
      const part = await store.readHistory(NS, run.facts.id, after, limit, maxBytes);
      return [part?.records.map(({ n }) => n), part?.more];
    };
    expect(await page(0, 10, 1)).toEqual([[1], true]);
    expect(await page(0, 10, 1_100)).toEqual([[1, 2], true]);
    expect(await page(0, 10, 100_000)).toEqual([[1, 2, 3], false]);
    expect(await page(2, 10, 1)).toEqual([[3], false]);
    expect(await page(0, 2, 100_000)).toEqual([[1, 2], true]);
    expect(await page(3, 10, 1)).toEqual([[], false]);
  });

  it("samples live runs: every version in turn, each from its oldest to its newest", async () => {
    const [store] = given().stores;
    const facts = [];
    for (let i = 0; i < 40; i++) facts.push((await suspend(store, await hold(store))).facts);
    const many = facts.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
    const rare = await suspend(store, await hold(store, newRun({ version: "2.0.0" })));
    await hold(store); // no commit has reached it
    await end(store, await commit(store, await hold(store), { records: [taskDone(1)] }));
    await suspend(store, await hold(store, newRun({ version: "3.0.0" })));
    await suspend(store, await hold(store, newRun({ ns: "elsewhere" })));
    const versions = [
      { workflow: "checkout", version: "1.0.0" },
      { workflow: "checkout", version: "2.0.0" },
    ];
    const ids = async (limit: number) => (await store.sampleLive(NS, versions, limit)).map(({ id }) => id);
    const all = await ids(1_000);
    expect(all.toSorted()).toEqual([...many, rare.facts.id].toSorted());
    const [first, second, ...later] = await ids(9);
    expect([first, second]).toEqual([many[0], rare.facts.id]);
    const places = [first, ...later].map((id) => many.indexOf(id as string)).sort((a, b) => a - b);
    expect(places).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
    expect(all.slice(0, 9)).toEqual(await ids(9));
    expect(await store.sampleLive(NS, [], 10)).toEqual([]);
  });

  it("tells how large a sampled run's history is, and what a run was started with", async () => {
    const [store] = given().stores;
    const input = { cents: 999, note: "x".repeat(1_000) };
    const run = await hold(store, newRun({ input, reference: "order-1", timeoutMs: 5_000, pool: "gpu" }));
    const filled = await commit(store, run, { records: [taskDone(1, "charge", "y".repeat(2_000)), taskDone(2)] });
    await suspend(store, filled);
    const [sampled] = await store.sampleLive(NS, [{ workflow: "checkout", version: "1.0.0" }], 1);
    expect(sampled).toMatchObject({ id: run.facts.id, workflow: "checkout", version: "1.0.0", records: 3 });
    expect(sampled?.bytes).toBeGreaterThan(3_000);
    expect(sampled?.bytes).toBeLessThan(3_600);
    expect(await store.readFacts(NS, run.facts.id)).toEqual(run.facts);
    expect(await store.readFacts("elsewhere", run.facts.id)).toBeUndefined();
  });

  it("counts runs by status, up to a bound", async () => {
    const [store] = given().stores;
    await hold(store);
    for (let i = 0; i < 3; i++) await suspend(store, await hold(store));
    await store.start(newRun(), undefined);
    await store.start(newRun({}, { trigger: { delayMs: 60_000 } }), undefined);
    await commit(store, await hold(store), { next: park("stalled") });
    await end(store, await hold(store));
    await end(store, await hold(store, newRun({ ns: "elsewhere" })));
    const counts = async (most: number) =>
      new Map(
        (await store.countByStatus(NS, most)).map(({ status, count, more }) => [status, more ? `>${count}` : count]),
      );
    const none = { queued: 1, running: 1, scheduled: 1, paused: 0, stalled: 1, completed: 1, failed: 0, cancelled: 0 };
    expect(Object.fromEntries(await counts(10))).toEqual({ ...none, suspended: 3 });
    expect(Object.fromEntries(await counts(2))).toEqual({ ...none, suspended: ">2" });
  });

  it("counts the runs that wait for somebody who serves them, up to a bound", async () => {
    const [store] = given().stores;
    const trouble = { code: "WORKFLOW_NOT_SERVED", message: "nobody", at: 1_000, deliveries: 0 };
    const next = park("queued", store.now().latest + 60_000);
    for (const version of ["1.0.0", "2.0.0", "2.0.0"])
      await commit(store, await hold(store, newRun({ version })), { trouble, next });
    await commit(store, await hold(store), { trouble: { ...trouble, code: "BUSY" }, next });
    await commit(store, await hold(store, newRun({ ns: "elsewhere" })), { trouble, next });
    await hold(store);
    const waiting = async (most: number) =>
      (await store.countUnserved(NS, most)).sort((a, b) => (a.version < b.version ? -1 : 1));
    expect(await waiting(100)).toEqual([
      { workflow: "checkout", version: "1.0.0", waiting: 1 },
      { workflow: "checkout", version: "2.0.0", waiting: 2 },
    ]);
    expect((await waiting(2)).reduce((sum, one) => sum + one.waiting, 0)).toBe(2);
  });

  it("counts live runs by version", async () => {
    const [store] = given().stores;
    await hold(store);
    await hold(store);
    await hold(store, newRun({ version: "2.0.0" }));
    await hold(store, newRun({ ns: "elsewhere" }));
    await end(store, await hold(store));
    const counts = await store.countLive(NS);
    expect(counts.sort((a, b) => (a.version < b.version ? -1 : 1))).toEqual([
      { workflow: "checkout", version: "1.0.0", live: 2 },
      { workflow: "checkout", version: "2.0.0", live: 1 },
    ]);
  });
}
