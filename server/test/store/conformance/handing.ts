import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { Commit, LoadedRun, MessageBody, Trouble } from "../../../src/core/run.js";
import type { Store } from "../../../src/store/port.js";
import {
  type Arena,
  claimAll,
  commit,
  hold,
  LEASE_MS,
  message,
  NS,
  newRun,
  park,
  suspend,
  taskDone,
  transition,
} from "./arena.js";

const UNSERVED: Trouble = { code: "WORKFLOW_NOT_SERVED", message: "nobody", at: 1_000, deliveries: 0 };
const VERSION = { workflow: "checkout", version: "1.0.0" };
const CANCEL: MessageBody = { kind: "cancel", reason: undefined };

/** What is held far from any process's memory, and what nobody could be found for. */
export function handingTests(given: () => Arena): void {
  const forCallback = async (store: Store): Promise<LoadedRun> => {
    const run = await hold(store);
    expect(await store.holdForCallback(NS, run.facts.id, 1, LEASE_MS)).toBe(true);
    return run;
  };

  it("lets a claim take over what is held for a callback as soon as a cancel waits, and not for other mail", async () => {
    const [store] = given().stores;
    const run = await forCallback(store);
    await store.append(message(run), 10);
    await store.append(message(run, { kind: "pause" }), 10);
    expect(await claimLost(store)).toEqual([]);
    await store.append(message(run, CANCEL), 10);
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toEqual({ cancelRequested: true });
    expect(await claimLost(store)).toMatchObject([{ facts: { id: run.facts.id }, fence: { gen: 2 } }]);
    expect(await store.extend(NS, run.facts.id, 1, LEASE_MS)).toBeUndefined();
    await store.append(message(run, CANCEL, newId("msg")), 10);
    // Who claimed it waits for its answer, and is asked with the next extension.
    expect(await claimLost(store)).toEqual([]);
  });

  it("keeps what a lease is for over commits that keep it, and ends it with a park", async () => {
    const [store] = given().stores;
    const run = await commit(store, await forCallback(store), { records: [taskDone(1)] });
    await store.append(message(run, CANCEL), 10);
    expect(await claimLost(store)).toMatchObject([{ facts: { id: run.facts.id }, records: [taskDone(1)] }]);

    const parked = await suspend(store, await forCallback(store));
    expect(await store.holdForCallback(NS, parked.facts.id, 1, LEASE_MS)).toBe(false);
    expect(await claimLost(store)).toEqual([]);
    await store.append(message(parked), 10);
    const [again] = await claimAll(store);
    await store.append(message(parked, CANCEL), 10);
    expect(again?.facts.id).toBe(parked.facts.id);
    expect(await claimLost(store)).toEqual([]);
  });

  it("does not let a commit that keeps it bring its end nearer, until one takes it back", async () => {
    const [store] = given().stores;
    const held = await forCallback(store);
    expect(await store.load(NS, held.facts.id)).toMatchObject({ hold: "callback" });
    const keep = async (run: LoadedRun, leaseMs: number, changes: Partial<Commit> = {}) => {
      const outcome = await store.commit(transition(run, changes), leaseMs);
      expect(outcome.type).toBe("committed");
      const fence = { ...run.fence, seq: run.fence.seq + 1 };
      return { ...run, fence, records: [...run.records, ...(changes.records ?? [])] };
    };
    const recorded = await keep(held, 1, { records: [taskDone(1)] });
    expect(await claimLost(store)).toEqual([]);
    // Together with what a message or a child makes another statement of.
    const sent = [message(await suspend(store, await hold(store)))];
    const told = await keep(recorded, 1, { records: [taskDone(2)], messages: sent });
    expect((await claimLost(store)).map(({ facts }) => facts.id)).toEqual([sent[0]?.runId]);
    expect(await store.load(NS, held.facts.id)).toMatchObject({ hold: "callback", fence: { gen: 1 } });
    const longer = await keep(told, 120_000);
    await keep(longer, 1, { next: { type: "keep", retakes: true } });
    expect(await claimLost(store)).toMatchObject([{ facts: { id: held.facts.id }, fence: { gen: 2 } }]);
    expect(await store.load(NS, held.facts.id)).toMatchObject({ hold: "push" });
    expect(await store.load(NS, (await suspend(store, await hold(store))).facts.id)).toMatchObject({ hold: undefined });
  });

  it("lets a commit that messages others take the lease back, too", async () => {
    const [store] = given().stores;
    const run = await forCallback(store);
    const other = await suspend(store, await hold(store));
    const outcome = await store.commit(
      transition(run, { messages: [message(other)], next: { type: "keep", retakes: true } }),
      LEASE_MS,
    );
    expect(outcome.type).toBe("committed");
    await store.append(message(run, CANCEL), 10);
    expect((await claimLost(store)).map(({ facts }) => facts.id)).toEqual([other.facts.id]);
    expect(await store.load(NS, run.facts.id)).toMatchObject({ hold: "push" });
  });

  it("is for one generation of one namespace, while it is leased", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    expect(await store.holdForCallback(NS, run.facts.id, 2, LEASE_MS)).toBe(false);
    expect(await store.holdForCallback("elsewhere", run.facts.id, 1, LEASE_MS)).toBe(false);
    await store.append(message(run, CANCEL), 10);
    expect(await claimLost(store)).toEqual([]);
    await store.release(NS, run.facts.id, 1);
    expect(await store.holdForCallback(NS, run.facts.id, 1, LEASE_MS)).toBe(false);
  });

  it("extends many leases at once, each by its own fence", async () => {
    const { stores } = given();
    const runs = await Promise.all(Array.from({ length: 20 }, () => hold(stores[0])));
    await stores[0].append(message(runs[3] as LoadedRun, CANCEL), 10);
    const asked = stores.slice(0, 4).flatMap((store) =>
      runs.map(async ({ facts }, i) => ({
        i,
        lease: await store.extend(NS, facts.id, i === 5 ? 2 : 1, LEASE_MS),
      })),
    );
    for (const { i, lease } of await Promise.all(asked)) {
      expect(lease).toEqual(i === 5 ? undefined : { cancelRequested: i === 3 });
    }
  });

  const unserved = async (store: Store, facts: Parameters<typeof newRun>[0] = {}) => {
    // Ids sort by the millisecond.
    await new Promise((resolve) => setTimeout(resolve, 2));
    const held = await hold(store, newRun(facts));
    const later = store.now().latest + 3_600_000;
    await commit(store, held, { trouble: UNSERVED, next: park("queued", later) });
    return held.facts.id;
  };

  it("claims what nobody served, for whom it is wanted now: oldest first, up to the limit", async () => {
    const [store] = given().stores;
    const plain = [await unserved(store), await unserved(store)];
    const gpu = await unserved(store, { pool: "gpu" });
    await unserved(store, { pool: "tpu" });
    await unserved(store, { version: "2.0.0" });
    await unserved(store, { ns: "elsewhere" });
    await commit(store, await hold(store), { trouble: UNSERVED, next: park("stalled") });
    const claim = (limit: number, ...pools: (string | undefined)[]) => {
      const wanted = pools.map((pool) => ({ ...VERSION, pool }));
      return store.claim({ limit, leaseMs: LEASE_MS, unserved: { ns: NS, wanted } });
    };
    expect(await claim(10)).toEqual([]);
    expect(await claim(1, undefined, "gpu")).toMatchObject([
      { facts: { id: plain[0] }, fence: { gen: 2 }, status: "queued", tries: 1 },
    ]);
    const rest = await claim(10, undefined, "gpu");
    expect(rest.map(({ facts }) => facts.id)).toEqual([plain[1], gpu]);
    expect(await claim(10, undefined, "gpu")).toEqual([]);
    expect(await store.load(NS, gpu)).toMatchObject({ status: "running", facts: { pool: "gpu" } });
  });

  it("gives each of what nobody served to one of those who ask at once", async () => {
    const { stores } = given();
    const ids = await Promise.all(Array.from({ length: 24 }, () => unserved(stores[0])));
    const wanted = [{ ...VERSION, pool: undefined }];
    const claims = stores.map((store) => store.claim({ limit: 4, leaseMs: LEASE_MS, unserved: { ns: NS, wanted } }));
    const claimed = (await Promise.all(claims)).flat().map(({ facts }) => facts.id);
    expect(new Set(claimed).size).toBe(claimed.length);
    for (;;) {
      const more = await stores[0].claim({ limit: 4, leaseMs: LEASE_MS, unserved: { ns: NS, wanted } });
      if (more.length === 0) break;
      claimed.push(...more.map(({ facts }) => facts.id));
    }
    expect(claimed.sort()).toEqual(ids.sort());
  });

  it("does not wake runs of a pool for an endpoint", async () => {
    const [store] = given().stores;
    await unserved(store, { pool: "gpu" });
    const plain = await unserved(store);
    expect(await store.wakeUnserved(NS, [VERSION])).toBe(1);
    expect((await claimAll(store)).map(({ facts }) => facts.id)).toEqual([plain]);
  });
}

/** Claims look for what is held only now and then. */
async function claimLost(store: Store): Promise<LoadedRun[]> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  return claimAll(store);
}
