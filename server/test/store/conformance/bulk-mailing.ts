import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { LoadedRun } from "../../../src/core/run.js";
import type { RunFilter, Store } from "../../../src/store/port.js";
import {
  type Arena,
  claimAll,
  commit,
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
  transition,
} from "./arena.js";

const cancel = (eventId = newId("msg")) => ({ eventId, body: { kind: "cancel", reason: "all" } as const });

export function bulkMailingTests(given: () => Arena): void {
  const send = (store: Store, filter: RunFilter, one = cancel(), rest: { cursor?: string; limit?: number } = {}) =>
    store.appendWhere({ ns: NS, filter, cursor: rest.cursor, limit: rest.limit ?? 1_000 }, one);
  const ids = (runs: readonly LoadedRun[]) => runs.map(({ facts }) => facts.id).sort();
  const kinds = async (store: Store, run: LoadedRun) =>
    (await store.readMail(NS, run.facts.id, 0)).map(({ n, body }) => `${n} ${body.kind}`);

  it("appends to each live run of the filter, makes it due, and to nobody else", async () => {
    const [store] = given().stores;
    const parked = await suspend(store, await hold(store));
    const held = await hold(store);
    const other = await suspend(store, await hold(store, newRun({ workflow: "other" })));
    const foreign = await suspend(store, await hold(store, newRun({ ns: "elsewhere" })));
    const ended = await hold(store);
    await end(store, ended);
    const outcome = await send(store, { workflow: "checkout" });
    expect({ ...outcome, runIds: [...outcome.runIds].sort() }).toEqual({
      runIds: ids([parked, held]),
      duplicates: 0,
      cursor: undefined,
    });
    expect(await kinds(store, parked)).toEqual(["1 cancel"]);
    expect(await kinds(store, other)).toEqual([]);
    expect(await store.readMail("elsewhere", foreign.facts.id, 0)).toEqual([]);
    expect(await claimAll(store)).toMatchObject([
      { facts: { id: parked.facts.id }, mail: [{ n: 1, body: { kind: "cancel", reason: "all" } }] },
    ]);
    expect(await store.commit(transition(held, { next: END }), LEASE_MS)).toEqual({ type: "unread" });
    expect(await store.extend(NS, held.facts.id, held.fence.gen, LEASE_MS)).toEqual({ cancelRequested: true });
  });

  it("chooses by every part of the filter", async () => {
    const [store] = given().stores;
    const parent = await hold(store, newRun({ reference: "a" }));
    const child = newChild(parent, "child:courier:1:a#0", { reference: "a" });
    const started = await commit(store, parent, { children: [child] });
    const stalled = await commit(store, await hold(store, newRun({ version: "2.0.0" })), { next: park("stalled") });
    const found = async (filter: RunFilter) => [...(await send(store, filter)).runIds].sort();
    expect(await found({ status: ["stalled"] })).toEqual(ids([stalled]));
    expect(await found({ status: ["stalled", "running", "failed"] })).toEqual(ids([stalled, started]));
    expect(await found({ status: ["failed"] })).toEqual([]);
    expect(await found({ status: [] })).toEqual([]);
    expect(await found({ workflow: "checkout", version: "2.0.0" })).toEqual(ids([stalled]));
    expect(await found({ reference: "a" })).toEqual(ids([started]));
    expect(await found({ reference: "a", parent: parent.facts.id })).toEqual([child.facts.id]);
    expect(await found({ parent: parent.facts.id })).toEqual([child.facts.id]);
    const at = parent.facts.createdAt;
    expect(await found({ createdBefore: at })).toEqual([]);
    expect(await found({ createdAfter: at - 1 })).toHaveLength(3);
  });

  it("goes through all runs page by page, each once", async () => {
    const [store] = given().stores;
    const runs = await Promise.all(Array.from({ length: 23 }, () => hold(store)));
    const one = cancel();
    const got: string[] = [];
    const sizes: number[] = [];
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const page = await send(store, {}, one, { limit: 10, ...(cursor === undefined ? {} : { cursor }) });
      got.push(...page.runIds);
      sizes.push(page.runIds.length);
      cursor = page.cursor;
    }
    expect(sizes).toEqual([10, 10, 3]);
    expect(got.sort()).toEqual(ids(runs));
  });

  it("takes the same message again for the same", async () => {
    const [store] = given().stores;
    const runs = [await hold(store), await hold(store)];
    const one = cancel();
    await store.append(message(runs[0] as LoadedRun, one.body, one.eventId), 10);
    expect(await send(store, {}, one)).toMatchObject({ runIds: ids(runs.slice(1)), duplicates: 1 });
    expect(await send(store, {}, one)).toMatchObject({ runIds: [], duplicates: 2 });
    for (const run of runs) expect(await kinds(store, run)).toEqual(["1 cancel"]);
  });

  it("marks as control only what a last commit must have read", async () => {
    const [store] = given().stores;
    for (const kind of ["pause", "resume", "wakeup", "requeue"] as const) {
      const run = await hold(store, newRun({ workflow: kind }));
      await send(store, { workflow: kind }, { eventId: newId("msg"), body: { kind } } as never);
      const outcome = await store.commit(transition(run, { next: END }), LEASE_MS);
      expect([kind, outcome.type]).toEqual([kind, kind === "pause" || kind === "resume" ? "unread" : "committed"]);
    }
  });

  it("numbers without gaps what eight processes send to overlapping pages, beside single messages", async () => {
    const { stores } = given();
    const runs = await Promise.all(Array.from({ length: 12 }, () => hold(stores[0])));
    const once = cancel();
    await Promise.all(
      stores.flatMap((store, i) => [
        send(store, {}, once),
        send(store, {}, cancel(), { limit: 6 + (i % 6) }),
        ...runs.map((run) => store.append(message(run, event("count", i)), 1_000)),
      ]),
    );
    for (const run of runs) {
      const mail = await stores[0].readMail(NS, run.facts.id, 0);
      expect(mail.map(({ n }) => n)).toEqual(mail.map((_, i) => i + 1));
      expect(mail.filter(({ body }) => body.kind === "event")).toHaveLength(stores.length);
      // The message that all sent is there once; each of the others reached the newest runs.
      expect(mail.filter(({ body }) => body.kind === "cancel").length).toBeGreaterThanOrEqual(1);
    }
    const newest =
      runs
        .map(({ facts }) => facts.id)
        .sort()
        .at(-1) ?? "";
    const cancels = (await stores[0].readMail(NS, newest, 0)).filter(({ body }) => body.kind === "cancel");
    expect(cancels).toHaveLength(stores.length + 1);
  });

  it("either comes before a run's last commit or finds that it has ended", async () => {
    const { stores } = given();
    for (let round = 0; round < 10; round++) {
      const workflow = `round-${round}`;
      const runs = await Promise.all(Array.from({ length: 16 }, () => hold(stores[0], newRun({ workflow }))));
      const [sent, ...ends] = await Promise.all([
        send(stores[0], { workflow }),
        ...runs.map((run, i) => end(pick(stores, i + 1), run)),
      ]);
      for (const [i, run] of runs.entries()) {
        const got = sent.runIds.includes(run.facts.id);
        expect(ends[i]).toEqual(got ? { type: "unread" } : { type: "committed", mailSeq: 0 });
      }
    }
  });

  it("loses no wake-up of a run that parks meanwhile", async () => {
    const { stores } = given();
    for (let round = 0; round < 10; round++) {
      const workflow = `parks-${round}`;
      const runs = await Promise.all(Array.from({ length: 16 }, () => hold(stores[0], newRun({ workflow }))));
      await Promise.all([send(stores[0], { workflow }), ...runs.map((run, i) => suspend(pick(stores, i + 1), run))]);
      const claimed = await claimAll(stores[0]);
      expect(claimed.map(({ facts }) => facts.id).sort()).toEqual(ids(runs));
    }
  });
}
