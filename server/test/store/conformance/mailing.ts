import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { LoadedRun, MessageBody } from "../../../src/core/run.js";
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
  newRun,
  park,
  pick,
  suspend,
  taskDone,
  waiting,
} from "./arena.js";

const MANY = 1_000;

export function mailingTests(given: () => Arena): void {
  it("numbers messages from 1 and gives them back in order", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const bodies: MessageBody[] = [
      event("delivered", { by: "\u0000\ud800" }),
      { kind: "event", name: "paid", data: undefined },
      { kind: "pause" },
      { kind: "resume" },
      { kind: "wakeup" },
      { kind: "requeue" },
      { kind: "cancel", reason: "late\u0000" },
      { kind: "cancel", reason: undefined },
      { kind: "child", key: "child:a:1:b#0", status: "completed", output: [1], error: undefined },
    ];
    for (const [i, body] of bodies.entries()) {
      expect(await store.append(message(run, body), MANY)).toEqual({ type: "appended", n: i + 1 });
    }
    const mail = await store.readMail(NS, run.facts.id, 0);
    expect(mail.map(({ n }) => n)).toEqual(bodies.map((_, i) => i + 1));
    expect(mail.map(({ body }) => body)).toEqual(bodies);
    expect(mail.every(({ acceptedAt }, i) => acceptedAt >= (mail[i - 1]?.acceptedAt ?? run.facts.createdAt))).toBe(
      true,
    );
    expect((await store.readMail(NS, run.facts.id, 7)).map(({ n }) => n)).toEqual([8, 9]);
    expect((await store.load(NS, run.facts.id))?.mail).toEqual(mail);
  });

  it("makes a parked run due", async () => {
    const [store] = given().stores;
    const run = await suspend(store, await hold(store));
    expect(await claimAll(store)).toEqual([]);
    await store.append(message(run), MANY);
    const [claimed] = await claimAll(store);
    expect(claimed).toMatchObject({ status: "suspended", fence: { gen: 2, seq: 1 }, mail: [{ n: 1 }] });
  });

  it("takes a suspended run along with its mail, as a claim does, and whole", async () => {
    const [store] = given().stores;
    let run = await hold(store);
    await store.append(message(run, event("unasked", "first")), MANY);
    run = await commit(store, run, { seen: 1, queued: [1], records: [taskDone(1, "charge", "\u0000\ud800")] });
    await commit(store, run, { queued: [1], records: [waiting(2)], next: park("suspended") });
    const outcome = await store.append(message(run, event("delivered", "second")), MANY, LEASE_MS);
    expect(outcome).toMatchObject({ type: "appended", n: 2 });
    const held = outcome.type === "appended" ? outcome.held : undefined;
    expect(held).toMatchObject({
      status: "suspended",
      fence: { gen: run.fence.gen + 1, seq: run.fence.seq + 1 },
      tries: 1,
      hold: "push",
      queued: [{ n: 1, body: { data: "first" } }],
      mail: [{ n: 2, body: { data: "second" } }],
    });
    expect(held?.records).toHaveLength(2);
    expect({ ...held, status: "running" }).toEqual(await store.load(NS, run.facts.id));
    expect(await claimAll(store)).toEqual([]);
    expect(await end(store, held as LoadedRun, { seen: 2, queued: [] })).toMatchObject({ type: "committed" });
  });

  it("takes a run with a long history along, too", async () => {
    const [store] = given().stores;
    let run = await hold(store);
    for (let n = 1; n <= 120; n++) run = await commit(store, run, { records: [taskDone(n)] });
    await suspend(store, run);
    const outcome = await store.append(message(run), MANY, LEASE_MS);
    expect(outcome).toMatchObject({ held: { records: { length: 121 }, mail: [{ n: 1 }] } });
    if (outcome.type === "appended") await end(store, outcome.held as LoadedRun, { seen: 1 });
  });

  it("takes no run along that somebody holds or that waits for something else", async () => {
    const [store] = given().stores;
    const running = await hold(store);
    const [queued, paused, stalled] = [await hold(store), await hold(store), await hold(store)];
    await commit(store, queued, { next: park("queued", databaseNow(store) + 60_000) });
    await commit(store, paused, { paused: true, next: park("paused") });
    await commit(store, stalled, { next: park("stalled") });
    const later = newRun({}, { trigger: { delayMs: 60_000 } });
    await store.start(later, undefined);
    for (const { facts } of [running, queued, paused, stalled, later]) {
      const sent = { ns: NS, runId: facts.id, eventId: newId("msg"), body: event("delivered") };
      expect(await store.append(sent, MANY, LEASE_MS)).toEqual({ type: "appended", n: 1 });
      expect((await store.load(NS, facts.id))?.fence.gen).toBe(facts.id === later.facts.id ? 0 : 1);
    }
    const asleep = await suspend(store, await hold(store));
    const once = message(asleep);
    expect(await store.append(once, 0, LEASE_MS)).toEqual({ type: "too_many_queued" });
    expect(await store.append(once, MANY)).toEqual({ type: "appended", n: 1 });
    expect(await store.append(once, MANY, LEASE_MS)).toEqual({ type: "duplicate" });
    expect((await store.load(NS, asleep.facts.id))?.fence.gen).toBe(1);
    await end(store, asleep, { seen: 1 });
  });

  it("makes a run that sleeps due at once", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await commit(store, run, { next: park("suspended", store.now().latest + 3_600_000) });
    expect(await claimAll(store)).toEqual([]);
    await store.append(message(run), MANY);
    expect(await claimAll(store)).toHaveLength(1);
  });

  it("takes the same event id for the same message", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const once = message(run);
    expect(await store.append(once, MANY)).toEqual({ type: "appended", n: 1 });
    expect(await store.append(once, MANY)).toEqual({ type: "duplicate" });
    expect(await store.append(message(run), MANY)).toEqual({ type: "appended", n: 2 });
    const other = await hold(store);
    expect(await store.append(message(other, event("delivered"), once.eventId), MANY)).toEqual({
      type: "appended",
      n: 1,
    });
  });

  it("knows a message that was read by the run's last commit", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const once = message(run);
    await store.append(once, MANY);
    await end(store, run, { seen: 1 });
    expect(await store.append(once, MANY)).toEqual({ type: "duplicate" });
  });

  it("tells that a run has ended, and how", async () => {
    const [store] = given().stores;
    for (const status of ["completed", "failed", "cancelled"] as const) {
      const run = await hold(store);
      await end(store, run, { next: { ...END, status } });
      expect(await store.append(message(run), MANY)).toEqual({ type: "ended", status });
      expect(await store.readMail(NS, run.facts.id, 0)).toEqual([]);
    }
  });

  it("does not know a run of another namespace", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect(await store.append({ ...message(run), ns: "elsewhere" }, MANY)).toEqual({ type: "unknown" });
    expect(await store.append({ ...message(run), runId: newId("run") }, MANY)).toEqual({ type: "unknown" });
    expect(await store.readMail("elsewhere", run.facts.id, 0)).toEqual([]);
    expect(await store.readMail(NS, run.facts.id, 0)).toEqual([]);
  });

  it("bounds events that wait, unread or unreceived, and nothing else", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect(await store.append(message(run), 2)).toEqual({ type: "appended", n: 1 });
    const read = await commit(store, run, { seen: 1, queued: [1] });
    expect(await store.append(message(run), 2)).toEqual({ type: "appended", n: 2 });
    expect(await store.append(message(run), 2)).toEqual({ type: "too_many_queued" });
    for (const kind of ["pause", "resume", "wakeup", "requeue"] as const) {
      expect(await store.append(message(run, { kind }), 2)).toMatchObject({ type: "appended" });
    }
    expect(await store.append(message(run, { kind: "cancel", reason: undefined }), 2)).toMatchObject({
      type: "appended",
    });
    await commit(store, read, { seen: 7, queued: [2] });
    expect(await store.append(message(run), 2)).toEqual({ type: "appended", n: 8 });
  });

  it("takes an event back into the queue that had been received", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    for (const data of ["a", "b", "c"]) await store.append(message(run, event("delivered", data)), MANY);
    const received = await commit(store, run, {
      seen: 3,
      queued: [2, 3],
      records: [
        waiting(1),
        { n: 2, kind: "event", key: "event:delivered#0", value: { state: "received", message: 1, data: "a" } },
      ],
    });
    const closed = { n: 3, kind: "event", key: "event:delivered#0", value: { state: "closed" } } as const;
    await commit(store, received, { queued: [1, 2, 3], records: [closed] });
    const loaded = await store.load(NS, run.facts.id);
    expect(loaded?.queued.map(({ n, body }) => [n, body])).toEqual([
      [1, event("delivered", "a")],
      [2, event("delivered", "b")],
      [3, event("delivered", "c")],
    ]);
    expect(loaded?.records.at(-1)).toEqual(closed);
  });

  it("keeps to the bound when many come together", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => store.append(message(run), 25)));
    expect(outcomes.filter(({ type }) => type === "appended")).toHaveLength(25);
    expect(outcomes.filter(({ type }) => type === "too_many_queued")).toHaveLength(15);
    expect((await store.readMail(NS, run.facts.id, 0)).map(({ n }) => n)).toEqual(
      Array.from({ length: 25 }, (_, i) => i + 1),
    );
  });

  it("numbers messages of one store in the order of the calls", async () => {
    const [store] = given().stores;
    const runs = [await hold(store), await hold(store)] as const;
    const sent = Array.from({ length: 60 }, (_, i) => ({ run: pick(runs, i), body: event("count", i) }));
    const outcomes = await Promise.all(sent.map(({ run, body }) => store.append(message(run, body), MANY)));
    expect(outcomes.every(({ type }) => type === "appended")).toBe(true);
    for (const [k, run] of runs.entries()) {
      const mail = await store.readMail(NS, run.facts.id, 0);
      expect(mail.map(({ body }) => body)).toEqual(sent.filter((_, i) => i % 2 === k).map(({ body }) => body));
    }
  });

  it("numbers without gaps what eight processes send to one run", async () => {
    const { stores } = given();
    const run = await hold(stores[0]);
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, i) => pick(stores, i).append(message(run, event("count", i)), MANY)),
    );
    const numbers = outcomes.map((outcome) => (outcome.type === "appended" ? outcome.n : 0));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(await stores[0].readMail(NS, run.facts.id, 0)).toHaveLength(200);
  });

  it("takes a message that eight processes send at once for one", async () => {
    const { stores } = given();
    const run = await hold(stores[0]);
    for (let round = 1; round <= 20; round++) {
      const once = message(run, event("delivered", round));
      const outcomes = await Promise.all(stores.map((store) => store.append(once, MANY)));
      expect(outcomes.filter(({ type }) => type === "appended")).toEqual([{ type: "appended", n: round }]);
      expect(outcomes.filter(({ type }) => type === "duplicate")).toHaveLength(stores.length - 1);
    }
    expect((await stores[0].readMail(NS, run.facts.id, 0)).map(({ n }) => n)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  it("takes batches that eight processes send at once for one", async () => {
    const { stores } = given();
    const runs = await Promise.all(Array.from({ length: 6 }, () => hold(stores[0])));
    for (let round = 1; round <= 10; round++) {
      const batch = runs.map((run) => message(run, event("delivered", round)));
      const outcomes = await Promise.all(stores.flatMap((store) => batch.map((one) => store.append(one, MANY))));
      expect(outcomes.filter(({ type }) => type === "appended")).toEqual(
        runs.map(() => ({ type: "appended", n: round })),
      );
      expect(outcomes.filter(({ type }) => type === "duplicate")).toHaveLength(runs.length * (stores.length - 1));
    }
  });

  it("takes a message that is in one batch twice for one", async () => {
    const [store] = given().stores;
    const run = await hold(store, newRun());
    const once = message(run);
    const outcomes = await Promise.all([
      store.append(once, MANY),
      store.append(message(run), MANY),
      store.append(once, MANY),
    ]);
    expect(outcomes.map(({ type }) => type)).toEqual(["appended", "appended", "duplicate"]);
    expect(await store.readMail(NS, run.facts.id, 0)).toHaveLength(2);
  });
}
