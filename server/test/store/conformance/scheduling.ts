import { newId, scheduledRunId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import { fireDue, fireNow } from "../../../src/core/schedule.js";
import type { NewSchedule, Store, StoredSchedule } from "../../../src/store/port.js";
import { type Arena, claimAll, databaseNow, end, hold, NS, newRun, newSchedule, pick } from "./arena.js";

const MINUTE = 60_000;
const MAX = 1_000;

async function activated(store: Store, changes: Partial<NewSchedule> = {}): Promise<StoredSchedule> {
  const outcome = await store.activate(newSchedule(changes), MAX);
  if (outcome.type !== "created") throw new Error(`The schedule was not created: ${outcome.type}`);
  return outcome.schedule;
}

async function read(store: Store, { ns, id }: Pick<StoredSchedule, "ns" | "id">): Promise<StoredSchedule> {
  const schedule = await store.getSchedule(ns, id);
  if (!schedule) throw new Error(`no schedule ${id}`);
  return schedule;
}

/** Fires what is due, as a process does that reads it now. */
async function fire(store: Store, one: Pick<StoredSchedule, "ns" | "id">) {
  const firing = fireDue(await read(store, one), databaseNow(store));
  if (!firing) throw new Error("it is not due");
  return { firing, fired: await store.fire(firing) };
}

export function schedulingTests(given: () => Arena): void {
  it("keeps what an activation says", async () => {
    const [store] = given().stores;
    const all = newSchedule({
      reference: "weekly",
      identity: "reference:weekly",
      input: { "\u0000": ["\ud800", null] },
      retry: { type: "fixed", maxAttempts: 3, delayMs: 10 },
      timeoutMs: 5_000,
      pool: "gpu",
      recurrence: { type: "cron", expression: "0 9 * * 1", timezone: "Europe/Berlin" },
      overlapPolicy: "skip",
      catchUp: "all",
    });
    const before = databaseNow(store);
    const outcome = await store.activate(all, MAX);
    const { updates: _, ...contents } = all;
    const state = { seq: 0, last: undefined, lastAt: undefined, started: 0, skipped: 0 };
    expect(outcome).toMatchObject({ type: "created", schedule: { ...contents, ...state } });
    const stored = await read(store, all);
    expect(outcome).toEqual({ type: "created", schedule: stored });
    expect(stored.createdAt).toBeGreaterThanOrEqual(before);
    expect(await store.getSchedule("elsewhere", all.id)).toBeUndefined();
  });

  it("takes the same activation twice for one", async () => {
    const [store] = given().stores;
    const first = newSchedule({ identity: "same" });
    await store.activate(first, MAX);
    const again = { ...first, id: newId("sch"), anchorAt: 5_000, nextAt: 5_000 + MINUTE };
    expect(await store.activate(again, MAX)).toEqual({ type: "unchanged", schedule: await read(store, first) });
    expect(await store.getSchedule(NS, again.id)).toBeUndefined();
    const elsewhere = { ...again, ns: "elsewhere" };
    expect(await store.activate(elsewhere, MAX)).toMatchObject({ type: "created", schedule: { id: again.id } });
  });

  it("gives a schedule other contents under its identity, and keeps when it fires", async () => {
    const [store] = given().stores;
    const first = await activated(store, { identity: "same" });
    const other = newSchedule({
      identity: "same",
      contentHash: "other",
      workflow: "summary",
      version: "2.0.0",
      input: undefined,
      overlapPolicy: "skip",
      catchUp: "all",
      anchorAt: 5_000,
      nextAt: 5_000 + MINUTE,
    });
    expect(await store.activate({ ...other, updates: false }, MAX)).toEqual({ type: "unchanged", schedule: first });
    const updated = await store.activate(other, MAX);
    const { workflow, version, input, overlapPolicy, catchUp, contentHash } = other;
    expect(updated).toMatchObject({
      type: "updated",
      schedule: {
        ...first,
        workflow,
        version,
        input,
        overlapPolicy,
        catchUp,
        contentHash,
        seq: 1,
        updatedAt: expect.anything(),
      },
    });
    expect(updated).toMatchObject({ schedule: await read(store, first) });
  });

  it("starts afresh when it is to fire at other times", async () => {
    const [store] = given().stores;
    const first = await activated(store, { identity: "same" });
    const hourly = newSchedule({
      identity: "same",
      contentHash: "other",
      recurrence: { type: "interval", everyMs: 60 * MINUTE },
      anchorAt: 5_000,
      nextAt: 5_000 + 60 * MINUTE,
    });
    expect(await store.activate(hourly, MAX)).toMatchObject({
      type: "updated",
      schedule: { id: first.id, anchorAt: 5_000, nextAt: 5_000 + 60 * MINUTE, recurrence: hourly.recurrence },
    });
  });

  it("leaves a paused schedule paused, whatever is activated", async () => {
    const [store] = given().stores;
    const first = await activated(store, { identity: "same" });
    expect(await store.retimeSchedule(NS, first.id, 0, undefined)).toBe(true);
    for (const contentHash of ["contents", "other"]) {
      const recurrence = { type: "interval", everyMs: contentHash === "other" ? 2 * MINUTE : MINUTE } as const;
      await store.activate(newSchedule({ identity: "same", contentHash, recurrence }), MAX);
      expect((await read(store, first)).nextAt).toBeUndefined();
    }
    expect(await store.upcomingSchedules(undefined, 10)).toEqual([]);
  });

  it("pauses and goes on under the fence", async () => {
    const [store] = given().stores;
    const { id } = await activated(store);
    expect(await store.retimeSchedule(NS, id, 1, undefined)).toBe(false);
    expect(await store.retimeSchedule("elsewhere", id, 0, undefined)).toBe(false);
    expect(await store.retimeSchedule(NS, id, 0, undefined)).toBe(true);
    expect(await store.retimeSchedule(NS, id, 0, undefined)).toBe(false);
    expect(await store.retimeSchedule(NS, id, 1, 9_000)).toBe(true);
    expect(await read(store, { ns: NS, id })).toMatchObject({ seq: 2, nextAt: 9_000 });
  });

  it("bounds the schedules of a namespace, and still takes what is there", async () => {
    const [store] = given().stores;
    const one = newSchedule();
    expect((await store.activate(one, 2)).type).toBe("created");
    expect((await store.activate(newSchedule(), 2)).type).toBe("created");
    expect(await store.activate(newSchedule(), 2)).toEqual({ type: "too_many" });
    expect((await store.activate(one, 2)).type).toBe("unchanged");
    expect((await store.activate({ ...one, contentHash: "other" }, 2)).type).toBe("updated");
    expect((await store.activate(newSchedule({ ns: "elsewhere" }), 2)).type).toBe("created");
    expect(await store.deleteSchedule(NS, one.id)).toBe(true);
    expect((await store.activate(newSchedule(), 2)).type).toBe("created");
  });

  it("makes one schedule of 50 activations at the same time", async () => {
    const { stores } = given();
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => pick(stores, i).activate(newSchedule({ identity: "same" }), MAX)),
    );
    expect(outcomes.filter(({ type }) => type === "created")).toHaveLength(1);
    expect(outcomes.filter(({ type }) => type === "unchanged")).toHaveLength(49);
    expect(await stores[0].listSchedules(NS, {}, undefined, 100)).toHaveLength(1);
  });

  it("lists them, newest first, by what is asked for", async () => {
    const [store] = given().stores;
    const [a, b, c] = [
      await activated(store, { id: newId("sch", 1_000) }),
      await activated(store, { id: newId("sch", 2_000), workflow: "other", reference: "r" }),
      await activated(store, { id: newId("sch", 3_000), version: "2.0.0" }),
    ];
    await activated(store, { ns: "elsewhere" });
    await store.retimeSchedule(NS, c.id, 0, undefined);
    const ids = async (...args: Parameters<Store["listSchedules"]> extends [string, ...infer R] ? R : never) =>
      (await store.listSchedules(NS, ...args)).map(({ id }) => id);
    expect(await ids({}, undefined, 10)).toEqual([c.id, b.id, a.id]);
    expect(await ids({}, undefined, 2)).toEqual([c.id, b.id]);
    expect(await ids({}, b.id, 2)).toEqual([a.id]);
    expect(await ids({ workflow: "other" }, undefined, 10)).toEqual([b.id]);
    expect(await ids({ reference: "r" }, undefined, 10)).toEqual([b.id]);
    expect(await ids({ version: "2.0.0" }, undefined, 10)).toEqual([c.id]);
    expect(await ids({ status: "paused" }, undefined, 10)).toEqual([c.id]);
    expect(await ids({ status: "active" }, undefined, 10)).toEqual([b.id, a.id]);
  });

  it("shows what comes due, in order, of every namespace, page by page", async () => {
    const [store] = given().stores;
    const made = [];
    for (const [i, nextAt] of [3_000, 1_000, 2_000, 2_000, 2_000].entries()) {
      made.push(await activated(store, { nextAt, ns: i % 2 === 0 ? NS : "elsewhere" }));
    }
    const [first, ...others] = await store.upcomingSchedules(undefined, 2);
    expect(first).toMatchObject({ id: made[1]?.id, ns: "elsewhere", nextAt: 1_000, seq: 0, last: undefined });
    const cursor = others[0] && { ns: others[0].ns, id: others[0].id, nextAt: 2_000 };
    const rest = await store.upcomingSchedules(cursor, 10);
    expect([...others, ...rest].map(({ nextAt }) => nextAt)).toEqual([2_000, 2_000, 2_000, 3_000]);
    expect(new Set([first, ...others, ...rest].map((one) => one?.id)).size).toBe(5);
  });

  it("starts one run that anybody may claim, and goes on to the next instant", async () => {
    const [store] = given().stores;
    const one = await activated(store, { retry: { type: "never" }, timeoutMs: 5_000, pool: "gpu" });
    const { firing, fired } = await fire(store, one);
    expect(fired).toBe(true);
    const runId = scheduledRunId(one.id, 1_000 + MINUTE);
    expect(firing.runIds).toEqual([runId]);
    expect(await read(store, one)).toMatchObject({
      seq: 1,
      nextAt: firing.nextAt,
      started: 1,
      skipped: 0,
      last: { runId, live: true },
    });
    const run = await store.getRun(NS, runId);
    expect(run).toMatchObject({
      workflow: "report",
      version: "1.0.0",
      status: "queued",
      schedule: one.id,
      input: one.input,
    });
    expect((await store.listRuns(NS, { schedule: one.id }, undefined, 10)).runs.map(({ id }) => id)).toEqual([runId]);
    expect((await store.listRuns(NS, { schedule: newId("sch") }, undefined, 10)).runs).toEqual([]);
    const [held] = await claimAll(store);
    expect(held?.facts).toMatchObject({ id: runId, timeoutMs: 5_000, pool: "gpu", retry: { type: "never" } });
    expect(held?.facts.reference).toBeUndefined();
    if (held) await end(store, held);
    expect((await read(store, one)).last).toEqual({ runId, live: false });
  });

  it("fires once for any number who decide at the same time", async () => {
    const { stores } = given();
    const schedules = await Promise.all(Array.from({ length: 20 }, (_, i) => activated(pick(stores, i))));
    const fires = await Promise.all(
      schedules.flatMap((one) => stores.map(async (store) => (await fire(store, one).catch(() => undefined))?.fired)),
    );
    expect(fires.filter((fired) => fired)).toHaveLength(20);
    expect(await stores[0].countLive(NS)).toEqual([{ workflow: "report", version: "1.0.0", live: 20 }]);
  });

  it("does not fire under an old fence, before its time, while it is paused, or when it is gone", async () => {
    const [store] = given().stores;
    const one = await activated(store);
    const firing = fireDue(one, databaseNow(store));
    if (!firing) throw new Error("it is due");
    expect(await store.fire({ ...firing, seq: 5 })).toBe(false);
    expect(await store.fire({ ...firing, ns: "elsewhere" })).toBe(false);
    const later = await activated(store, { nextAt: databaseNow(store) + MINUTE });
    expect(await store.fire({ ...firing, id: later.id })).toBe(false);
    await store.retimeSchedule(NS, one.id, 0, undefined);
    expect(await store.fire({ ...firing, seq: 1 })).toBe(false);
    await store.deleteSchedule(NS, one.id);
    expect(await store.fire(firing)).toBe(false);
    expect(await store.deleteSchedule(NS, one.id)).toBe(false);
    expect(await store.countLive(NS)).toEqual([]);
  });

  it("starts several runs at once, or none", async () => {
    const [store] = given().stores;
    const one = await activated(store);
    const runIds = [newId("run", 1), newId("run", 2), newId("run", 3)];
    const base = { ...fireNow(one, ""), cause: "due" as const, nextAt: 2_000 };
    expect(await store.fire({ ...base, runIds })).toBe(true);
    expect(await read(store, one)).toMatchObject({ started: 3, last: { runId: runIds[2] }, nextAt: 2_000 });
    const { lastAt } = await read(store, one);
    expect(await store.fire({ ...base, seq: 1, runIds: [], skipped: 1 })).toBe(true);
    expect(await read(store, one)).toMatchObject({ started: 3, skipped: 1, last: { runId: runIds[2] }, lastAt });
    expect((await claimAll(store)).map(({ facts }) => facts.id).sort()).toEqual(runIds);
  });

  it("goes on when a run of its instant is there already", async () => {
    const [store] = given().stores;
    const one = await activated(store);
    const { firing } = await fire(store, one);
    expect(await store.retimeSchedule(NS, one.id, 1, 1_000 + MINUTE)).toBe(true);
    const again = await fire(store, one);
    expect(again).toMatchObject({ fired: true, firing: { runIds: firing.runIds } });
    expect((await store.listRuns(NS, {}, undefined, 10)).runs).toHaveLength(1);
  });

  it("starts a run when a person says so, also of a schedule that is paused", async () => {
    const [store] = given().stores;
    const one = await activated(store, { nextAt: databaseNow(store) + MINUTE });
    expect(await store.fire(fireNow(one, newId("run")))).toBe(true);
    expect(await read(store, one)).toMatchObject({ nextAt: one.nextAt, started: 1 });
    await store.retimeSchedule(NS, one.id, 1, undefined);
    expect(await store.fire(fireNow(await read(store, one), newId("run")))).toBe(true);
    expect(await read(store, one)).toMatchObject({ nextAt: undefined, started: 2 });
  });

  it("cancels the run before in the same statement, and only when it goes on", async () => {
    const [store] = given().stores;
    const one = await activated(store, { overlapPolicy: "cancel_previous" });
    const first = (await fire(store, one)).firing.runIds[0] as string;
    const due = await store.retimeSchedule(NS, one.id, 1, 2_000);
    expect(due).toBe(true);
    const second = await fire(store, one);
    expect(second).toMatchObject({ fired: true, firing: { cancels: first } });
    expect(await store.readMail(NS, first, 0)).toMatchObject([
      { n: 1, body: { kind: "cancel", reason: `${one.id} started its next run` } },
    ]);
    // It ended between the reading and the writing: the new run starts all the same.
    await store.retimeSchedule(NS, one.id, 3, 3_000);
    const decided = fireDue(await read(store, one), databaseNow(store));
    for (const held of await claimAll(store)) await end(store, held, { seen: held.mail.length });
    if (!decided) throw new Error("it is due");
    expect(decided.cancels).toBe(second.firing.runIds[0]);
    expect(await store.fire(decided)).toBe(true);
    expect(await store.readMail(NS, decided.cancels as string, 0)).toEqual([]);
    expect((await store.getRun(NS, decided.runIds[0] as string))?.status).toBe("queued");
  });

  it("never has two runs at once under `skip`, however fires and triggers race", async () => {
    const { stores } = given();
    const one = await activated(stores[0], { overlapPolicy: "skip" });
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const store = pick(stores, i);
        const schedule = await read(store, one);
        const firing = i % 2 === 0 ? fireNow(schedule, newId("run")) : fireDue(schedule, databaseNow(store));
        return firing !== undefined && (await store.fire(firing)) ? firing.runIds.length : 0;
      }),
    );
    expect(outcomes.reduce((sum, started) => sum + started, 0)).toBe(1);
    expect(await stores[0].countLive(NS)).toEqual([{ workflow: "report", version: "1.0.0", live: 1 }]);
  });

  it("never leaves two runs uncancelled under `cancel_previous`", async () => {
    const { stores } = given();
    const one = await activated(stores[0], { overlapPolicy: "cancel_previous" });
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const store = pick(stores, i);
        await store.fire(fireNow(await read(store, one), newId("run")));
      }),
    );
    const { runs } = await stores[0].listRuns(NS, { schedule: one.id }, undefined, 100);
    const mail = await Promise.all(runs.map(({ id }) => stores[0].readMail(NS, id, 0)));
    expect(runs.length).toBeGreaterThan(0);
    expect(mail.filter(({ length }) => length === 0)).toHaveLength(1);
    expect((await read(stores[0], one)).started).toBe(runs.length);
  });

  it("cancels its live runs by a filter, and nobody else's", async () => {
    const [store] = given().stores;
    const one = await activated(store);
    const mine = (await fire(store, one)).firing.runIds[0] as string;
    await fire(store, await activated(store, { identity: "another" }));
    await hold(store, newRun());
    const message = { eventId: newId("msg"), body: { kind: "cancel", reason: undefined } } as const;
    const where = { ns: NS, filter: { schedule: one.id }, cursor: undefined, limit: 10 };
    expect((await store.appendWhere(where, message)).runIds).toEqual([mine]);
  });

  it("keeps its runs when it is deleted", async () => {
    const [store] = given().stores;
    const one = await activated(store);
    const { firing } = await fire(store, one);
    expect(await store.deleteSchedule("elsewhere", one.id)).toBe(false);
    expect(await store.deleteSchedule(NS, one.id)).toBe(true);
    expect((await store.getRun(NS, firing.runIds[0] as string))?.schedule).toBe(one.id);
  });
}
