import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { StartOutcome } from "../../../src/store/port.js";
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
  newChild,
  newRun,
  park,
  pick,
} from "./arena.js";

export function startingTests(given: () => Arena): void {
  it("inserts a run that is leased to its starter", async () => {
    const [store] = given().stores;
    const before = databaseNow(store);
    const run = newRun({ reference: "order-1", timeoutMs: 5_000, pool: "gpu", retry: { type: "never" } });
    const outcome = await store.start(run, LEASE_MS);
    expect(outcome).toMatchObject({
      type: "created",
      run: { id: run.facts.id, workflow: "checkout", version: "1.0.0", status: "running", reference: "order-1" },
      held: {
        facts: run.facts,
        fence: { gen: 1, seq: 0 },
        status: "running",
        tries: 1,
        seen: 0,
        mail: [],
        records: [],
      },
    });
    if (outcome.type !== "created") return;
    expect(outcome.run.createdAt).toBeGreaterThanOrEqual(before);
    expect(await store.load(NS, run.facts.id)).toEqual(outcome.held);
    expect(await claimAll(store)).toEqual([]);
  });

  it("inserts a run that anybody may claim", async () => {
    const [store] = given().stores;
    const run = newRun();
    expect(await store.start(run, undefined)).toMatchObject({
      type: "created",
      run: { status: "queued" },
      held: undefined,
    });
    const [claimed] = await claimAll(store);
    expect(claimed).toMatchObject({ facts: run.facts, status: "queued", fence: { gen: 1, seq: 0 }, tries: 1 });
  });

  it("inserts a run for later, leased to nobody", async () => {
    const [store] = given().stores;
    const delayed = newRun({}, { trigger: { delayMs: 3_600_000 } });
    const at = databaseNow(store) + 7_200_000;
    const dated = newRun({}, { trigger: { at } });
    for (const run of [delayed, dated]) {
      expect(await store.start(run, LEASE_MS)).toMatchObject({
        type: "created",
        run: { status: "scheduled" },
        held: undefined,
      });
    }
    expect(await claimAll(store)).toEqual([]);
    expect((await store.getRun(NS, dated.facts.id))?.nextAt).toBe(at);
    const next = (await store.nextDueAt()) ?? 0;
    expect(next).toBeGreaterThan(databaseNow(store) + 3_500_000);
    expect(next).toBeLessThan(at);
  });

  it.each([0, 1])("keeps the time of a start until a commit clears it, one with %i messages too", async (messages) => {
    const [store] = given().stores;
    const other = await hold(store);
    const alone = () => Array.from({ length: messages }, () => message(other));
    const run = newRun({}, { trigger: { at: databaseNow(store) + 3_600_000 } });
    const startAt = run.trigger && "at" in run.trigger ? run.trigger.at : 0;
    await store.start(run, LEASE_MS);
    const send = () => store.append({ ns: NS, runId: run.facts.id, eventId: newId("msg"), body: event("early") }, 10);
    const look = async () => (await store.getRun(NS, run.facts.id))?.status;
    await send();
    const [first] = await claimAll(store);
    expect(first).toMatchObject({ status: "scheduled", startAt, mail: [{ n: 1 }] });
    expect(await look()).toBe("scheduled");
    if (!first) return;
    await store.release(NS, run.facts.id, first.fence.gen);
    expect(await look()).toBe("scheduled");
    const [second] = await claimAll(store);
    if (!second) throw new Error("not claimed");
    await commit(store, second, { seen: 1, queued: [1], next: park("scheduled", startAt), messages: alone() });
    expect(await claimAll(store)).toEqual([]);
    expect(await store.getRun(NS, run.facts.id)).toMatchObject({ status: "scheduled", nextAt: startAt });
    await send();
    const [third] = await claimAll(store);
    expect(third).toMatchObject({ startAt, queued: [{ n: 1 }] });
    if (!third) return;
    const begun = await commit(store, third, { startAt: undefined, seen: 2, queued: [1, 2], messages: alone() });
    expect([await look(), (await store.load(NS, run.facts.id))?.startAt]).toEqual(["running", undefined]);
    await commit(store, begun, { startAt: undefined, next: park("paused") });
  });

  it("starts the children of a commit that ends their parent", async () => {
    const [store] = given().stores;
    const parent = await hold(store);
    const child = newChild(parent, "child:a:1:a#0", { reference: "mine" });
    expect(await end(store, parent, { children: [child] })).toMatchObject({ type: "committed" });
    expect(await claimAll(store)).toMatchObject([{ facts: { id: child.facts.id, reference: "mine" } }]);
    expect(await store.findByReference(NS, "courier", "1.0.0", "mine")).toBeUndefined();
    const { runs: found } = await store.listRuns(NS, { reference: "mine", parent: parent.facts.id }, undefined, 10);
    expect(found).toMatchObject([{ id: child.facts.id, parent: parent.facts.id }]);
    expect((await store.listRuns(NS, { reference: "mine" }, undefined, 10)).runs).toEqual([]);
  });

  it("keeps the time of a delayed child's start", async () => {
    const [store] = given().stores;
    const parent = await hold(store);
    const [later, now] = [newChild(parent, "child:a:1:a#0"), newChild(parent, "child:a:1:b#0")];
    await commit(store, parent, { children: [{ ...later, delayMs: 3_600_000 }, now] });
    const startAt = (await store.load(NS, later.facts.id))?.startAt ?? 0;
    expect(startAt).toBeGreaterThan(databaseNow(store) + 3_500_000);
    expect(await store.getRun(NS, later.facts.id)).toMatchObject({ status: "scheduled", nextAt: startAt });
    expect(await claimAll(store)).toMatchObject([{ facts: { id: now.facts.id }, startAt: undefined }]);
  });

  it("starts at once what is asked for in the past", async () => {
    const [store] = given().stores;
    const run = newRun({}, { trigger: { at: 1_000 } });
    expect(await store.start(run, LEASE_MS)).toMatchObject({ run: { status: "running" }, held: { fence: { gen: 1 } } });
    const now = newRun({}, { trigger: { delayMs: 0 } });
    expect(await store.start(now, LEASE_MS)).toMatchObject({ run: { status: "running" }, held: { fence: { gen: 1 } } });
  });

  it("takes the same request twice for one, and another request under its id for a mistake", async () => {
    const [store] = given().stores;
    const run = newRun();
    await store.start(run, undefined);
    expect(await store.start(run, LEASE_MS)).toMatchObject({
      type: "existing",
      run: { id: run.facts.id, status: "queued" },
    });
    expect(await store.start({ ...run, requestHash: "other" }, LEASE_MS)).toEqual({ type: "id_conflict" });
  });

  it("decides about a reference that is taken", async () => {
    const [store] = given().stores;
    const first = newRun({ reference: "order-1" });
    await store.start(first, undefined);
    const same = newRun({ reference: "order-1" });
    expect(await store.start(same, undefined)).toMatchObject({ type: "existing", run: { id: first.facts.id } });
    const other = { ...same, requestHash: "other" };
    expect(await store.start(other, undefined)).toMatchObject({
      type: "reference_conflict",
      run: { id: first.facts.id },
    });
    const lenient = { ...other, conflictPolicy: "return_existing" as const };
    expect(await store.start(lenient, undefined)).toMatchObject({ type: "existing", run: { id: first.facts.id } });
    expect(await store.getRun(NS, same.facts.id)).toBeUndefined();
  });

  it("keeps references of other versions, workflows and namespaces apart", async () => {
    const [store] = given().stores;
    const runs = [{}, { version: "2.0.0" }, { workflow: "other" }, { ns: "elsewhere" }].map((facts) =>
      newRun({ reference: "order-1", ...facts }),
    );
    const outcomes = await Promise.all(runs.map((run) => store.start(run, undefined)));
    expect(outcomes.map(({ type }) => type)).toEqual(["created", "created", "created", "created"]);
  });

  it("keeps the same id in two namespaces apart", async () => {
    const [store] = given().stores;
    const id = newId("run");
    const [mine, theirs] = [newRun({ id, input: "mine" }), newRun({ id, ns: "elsewhere", input: "theirs" })];
    expect(await store.start(mine, undefined)).toMatchObject({ type: "created" });
    expect(await store.start(theirs, undefined)).toMatchObject({ type: "created" });
    expect((await store.getRun(NS, id))?.input).toBe("mine");
    expect((await store.getRun("elsewhere", id))?.input).toBe("theirs");
  });

  it("lets a child have a reference that somebody else's run has", async () => {
    const [store] = given().stores;
    const taken = newRun({ workflow: "courier", reference: "ride-1" });
    await store.start(taken, LEASE_MS);
    const parent = await hold(store);
    const child = newChild(parent, "child:courier:1.0.0:ride-1#0", { reference: "ride-1" });
    await commit(store, parent, { children: [child] });
    expect((await store.getRun(NS, child.facts.id))?.reference).toBe("ride-1");
    expect((await store.findByReference(NS, "courier", "1.0.0", "ride-1"))?.id).toBe(taken.facts.id);
  });

  it("keeps every JSON value as it is", async () => {
    const [store] = given().stores;
    const input = { "\u0000": ["\u0000", "\ud800", "\udfff\ud800", "\u2028", '"\\', "𝄞", "", -0.5e-9, null, true, {}] };
    const held = await hold(store, newRun({ input }));
    expect((await store.load(NS, held.facts.id))?.facts.input).toEqual(input);
    const nothing = await hold(store, newRun({ input: undefined }));
    expect((await store.load(NS, nothing.facts.id))?.facts.input).toBeUndefined();
    const none = await hold(store, newRun({ input: null }));
    expect((await store.load(NS, none.facts.id))?.facts.input).toBeNull();
  });

  it("makes one run of 100 concurrent starts with one reference", async () => {
    const { stores } = given();
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => pick(stores, i).start(newRun({ reference: "order-1" }), LEASE_MS)),
    );
    expectOne(outcomes);
  });

  it("makes one run of 100 concurrent starts with one id", async () => {
    const { stores } = given();
    const run = newRun();
    expectOne(await Promise.all(Array.from({ length: 100 }, (_, i) => pick(stores, i).start(run, LEASE_MS))));
  });

  it("makes 500 runs of 500 concurrent starts", async () => {
    const { stores } = given();
    const outcomes = await Promise.all(
      Array.from({ length: 500 }, (_, i) => pick(stores, i).start(newRun({ reference: `order-${i}` }), LEASE_MS)),
    );
    expect(outcomes.every(({ type }) => type === "created")).toBe(true);
    expect(await stores[0].countLive(NS)).toEqual([{ workflow: "checkout", version: "1.0.0", live: 500 }]);
  });
}

function expectOne(outcomes: readonly StartOutcome[]): void {
  expect(outcomes.filter(({ type }) => type === "created")).toHaveLength(1);
  expect(outcomes.filter(({ type }) => type === "existing")).toHaveLength(outcomes.length - 1);
  expect(new Set(outcomes.map((outcome) => "run" in outcome && outcome.run.id)).size).toBe(1);
}
