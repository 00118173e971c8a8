/** Rules 2 to 6 and 19 of the design, with statements of eight processes that really meet. */
import { expect, it } from "vitest";
import type { LoadedRun } from "../../../src/core/run.js";
import type { Store } from "../../../src/store/port.js";
import {
  type Arena,
  claimAll,
  commit,
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
  pick,
  suspend,
  taskDone,
  transition,
  waiting,
} from "./arena.js";

export function racingTests(given: () => Arena): void {
  it("loses no wake-up when a run parks while it gets mail", async () => {
    const { stores } = given();
    const [store] = stores;
    for (let round = 0; round < 20; round++) {
      const runs = await Promise.all(Array.from({ length: 16 }, () => hold(store)));
      const parks = runs.map((run, i) =>
        pick(stores, i).commit(transition(run, { records: [waiting(1)], next: park("suspended") }), LEASE_MS),
      );
      const sends = runs.map((run, i) => pick(stores, i + 1 + (round % 7)).append(message(run), 10));
      const outcomes = await Promise.all([...parks, ...sends]);
      expect(outcomes.map(({ type }) => type)).toEqual([...runs.map(() => "committed"), ...runs.map(() => "appended")]);
      const woken = await claimAll(store);
      expect(woken.map(({ facts }) => facts.id).sort()).toEqual(runs.map(({ facts }) => facts.id).sort());
      expect(woken.every(({ mail }) => mail.length === 1)).toBe(true);
      await Promise.all(woken.map((run) => end(store, run, { seen: 1 })));
    }
  });

  it("shows whoever leases a run all of its mail and all of its records, whatever arrives meanwhile", async () => {
    const { stores } = given();
    const runs = await Promise.all(Array.from({ length: 6 }, async () => suspend(stores[0], await hold(stores[0]))));
    const generations = new Set<string>();
    /** Reads what came, records it and suspends the run again. */
    const goOn = async (store: Store, { facts, fence, seen, mail, records }: LoadedRun) => {
      const generation = `${facts.id} ${fence.gen}`;
      expect(generations.has(generation)).toBe(false);
      generations.add(generation);
      expect(mail.map(({ n }) => n)).toEqual(mail.map((_, i) => seen + i + 1));
      expect(records.map(({ n }) => n)).toEqual(records.map((_, i) => i + 1));
      expect(records).toHaveLength(seen + 1);
      const received = mail.map((_, i) => waiting(records.length + i + 1, `e${records.length + i}`));
      const run = { facts, fence, seen, queued: [], paused: false, startAt: undefined } as unknown as LoadedRun;
      const next = park("suspended");
      const done = transition(run, { seen: seen + mail.length, records: received, next });
      expect(await store.commit(done, LEASE_MS)).toMatchObject({ type: "committed" });
    };
    const senders = stores.map(async (store, s) => {
      for (let i = 0; i < 30; i++) {
        const outcome = await store.append(message(pick(runs, s + i)), 1_000, i % 3 ? LEASE_MS : undefined);
        if (outcome.type === "appended" && outcome.held) await goOn(store, outcome.held);
        if (i % 2) for (const run of await store.claim({ limit: 3, leaseMs: LEASE_MS })) await goOn(store, run);
      }
    });
    await Promise.all(senders);
    for (let left = await claimAll(stores[0]); left.length > 0; left = await claimAll(stores[0])) {
      for (const run of left) await goOn(stores[0], run);
    }
    const loaded = await Promise.all(runs.map(({ facts }) => stores[0].load(NS, facts.id)));
    expect(loaded.reduce((sum, run) => sum + (run?.seen ?? 0), 0)).toBe(stores.length * 30);
  });

  it("gives each due run to one of eight processes", async () => {
    const { stores } = given();
    const runs = Array.from({ length: 200 }, () => newRun());
    await Promise.all(runs.map((run) => stores[0].start(run, undefined)));
    const claimed: LoadedRun[] = [];
    while (claimed.length < runs.length) {
      const parts = await Promise.all(stores.map((store) => store.claim({ limit: 10, leaseMs: LEASE_MS })));
      claimed.push(...parts.flat());
      if (parts.flat().length === 0) break;
    }
    expect(claimed.map(({ facts }) => facts.id).sort()).toEqual(runs.map(({ facts }) => facts.id).sort());
    expect(claimed.every(({ fence, tries }) => fence.gen === 1 && tries === 1)).toBe(true);
  });

  it("lets exactly one of eight commits with one fence through", async () => {
    const { stores } = given();
    for (let round = 0; round < 10; round++) {
      const run = await hold(stores[0]);
      const told = await hold(stores[0]);
      const outcomes = await Promise.all(
        stores.map((store, i) =>
          store.commit(
            transition(run, { records: [taskDone(1, "charge", i)], messages: i % 2 ? [message(told)] : [] }),
            LEASE_MS,
          ),
        ),
      );
      expect(outcomes.filter(({ type }) => type === "committed")).toHaveLength(1);
      expect(outcomes.filter(({ type }) => type === "fenced")).toHaveLength(stores.length - 1);
      expect((await stores[0].readHistory(NS, run.facts.id, 0, 10, MOST_BYTES))?.records).toHaveLength(1);
    }
  });

  it("never completes a run after an acknowledged cancel", async () => {
    const { stores } = given();
    for (let round = 0; round < 20; round++) {
      const runs = await Promise.all(Array.from({ length: 8 }, () => hold(stores[0])));
      const ends = runs.map((run, i) => end(pick(stores, i), run));
      const cancels = runs.map((run, i) =>
        pick(stores, i + 3).append(message(run, { kind: "cancel", reason: undefined }), 10),
      );
      const ended = await Promise.all(ends);
      const cancelled = await Promise.all(cancels);
      for (const [i, run] of runs.entries()) {
        // Whoever came first decides: either the run had ended, or its end is refused until the cancel is read.
        const pair = [ended[i]?.type, cancelled[i]?.type];
        expect([
          ["committed", "ended"],
          ["unread", "appended"],
        ]).toContainEqual(pair);
        if (pair[0] === "unread") await end(stores[0], run, { seen: 1, next: { ...END, status: "cancelled" } });
      }
    }
  });

  it("keeps the neighbours of a bad row from harm", async () => {
    const [store] = given().stores;
    const runs = await Promise.all(Array.from({ length: 33 }, () => hold(store)));
    const results = await Promise.allSettled(
      runs.map((run, i) => {
        // A key that `text` cannot hold. The protocol refuses it; the store must not be brought down by it.
        const bad = { ...taskDone(1), key: "task:\u0000:abc#0" };
        return store.commit(transition(run, { records: [i % 16 === 5 ? bad : taskDone(1)] }), LEASE_MS);
      }),
    );
    for (const [i, result] of results.entries()) {
      if (i % 16 === 5 && result.status === "rejected") continue;
      expect(result).toEqual({ status: "fulfilled", value: { type: "committed", mailSeq: 0 } });
      expect((await store.readHistory(NS, (runs[i] as LoadedRun).facts.id, 0, 10, MOST_BYTES))?.records).toHaveLength(
        1,
      );
    }
  });

  it("commits a parent and the end of its child that come together", async () => {
    const { stores } = given();
    for (const [j, other] of stores.entries()) {
      const parent = await hold(stores[0]);
      const child = newChild(parent, "child:courier:1:a#0");
      const held = await commit(stores[0], parent, { children: [child] });
      const [run] = await claimAll(stores[0]);
      if (!run) throw new Error("not claimed");
      const messages = [
        message(held, { kind: "child", key: "child:courier:1:a#0", status: "completed", output: j, error: undefined }),
      ];
      const [parked, ended] = await Promise.all([
        stores[0].commit(transition(held, { records: [waiting(1)], next: park("suspended") }), LEASE_MS),
        end(other, run, { messages }),
      ]);
      expect([parked.type, ended.type]).toEqual(["committed", "committed"]);
      const [woken] = await claimAll(stores[0]);
      expect(woken).toMatchObject({ facts: { id: held.facts.id }, fence: { seq: 2 }, mail: [{ n: 1 }] });
      if (woken) await end(stores[0], woken, { seen: 1 });
    }
  });

  it("gives a parent the ends of a hundred children, each once", async () => {
    const { stores } = given();
    const parent = await hold(stores[0]);
    const children = Array.from({ length: 100 }, (_, i) => newChild(parent, `child:courier:1:a#${i}`));
    await commit(stores[0], parent, { children, records: [waiting(1)], next: park("suspended") });
    const runs = await claimAll(stores[0]);
    expect(runs).toHaveLength(100);
    await Promise.all(
      runs.map((run, i) => {
        const key = run.facts.parent?.key ?? "";
        const body = { kind: "child", key, status: "completed", output: i, error: undefined } as const;
        return end(pick(stores, i), run, { messages: [message(parent, body, `child-ended:${run.facts.id}`)] });
      }),
    );
    const [woken] = await claimAll(stores[0]);
    expect(woken?.mail.map(({ n }) => n)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    const keys = woken?.mail.map(({ body }) => (body.kind === "child" ? body.key : ""));
    expect(new Set(keys).size).toBe(100);
  });

  it("tells once what eight commits tell at the same time", async () => {
    const { stores } = given();
    const to = await hold(stores[0]);
    let runs = await Promise.all(stores.map(() => hold(stores[0])));
    for (let round = 1; round <= 10; round++) {
      const once = message(to, event("count", round));
      const records = [taskDone(round)];
      runs = await Promise.all(runs.map((run, i) => commit(pick(stores, i), run, { messages: [once], records })));
      expect(await stores[0].readMail(NS, to.facts.id, 0)).toHaveLength(round);
    }
  });

  it("survives commits that message each other's runs crosswise", async () => {
    const { stores } = given();
    let runs = await Promise.all(Array.from({ length: 24 }, () => hold(stores[0])));
    const sent = new Map(runs.map(({ facts }) => [facts.id, 0]));
    for (let round = 1; round <= 15; round++) {
      const now = runs;
      const outcomes = await Promise.all(
        now.map((run, i) => {
          // Each to three others, in an order that is the reverse of the neighbour's.
          const to = [5, 11, 17].map((step) => pick(now, i + step * round));
          const messages = (i % 2 ? to : to.reverse()).filter((one) => one !== run).map((one) => message(one));
          for (const { runId } of messages) sent.set(runId, (sent.get(runId) ?? 0) + 1);
          return pick(stores, i * 7 + round).commit(
            transition(run, { messages, records: [taskDone(round)] }),
            LEASE_MS,
          );
        }),
      );
      expect(outcomes.every(({ type }) => type === "committed")).toBe(true);
      runs = now.map((run) => ({ ...run, fence: { ...run.fence, seq: round } }));
    }
    for (const { facts } of runs) {
      const mail = await stores[0].readMail(NS, facts.id, 0);
      expect(mail.map(({ n }) => n)).toEqual(Array.from({ length: sent.get(facts.id) ?? 0 }, (_, i) => i + 1));
    }
  });

  it("survives everything at once", async () => {
    const { stores } = given();
    const parents = await Promise.all(
      Array.from({ length: 8 }, (_, i) => hold(stores[0], newRun({ ns: i % 2 ? NS : "elsewhere" }))),
    );
    const work = parents.map(async (parent, p) => {
      const store = pick(stores, p);
      let run = parent;
      for (let round = 1; round <= 25; round++) {
        const seen = (await store.readMail(run.facts.ns, run.facts.id, 0)).at(-1)?.n ?? 0;
        const child = newChild(run, `child:courier:1:a#${round}`, { ns: run.facts.ns });
        const to = pick(parents, p + 2);
        run = await commit(store, run, {
          seen,
          records: [taskDone(round)],
          children: [child],
          messages: [message(to)],
        });
        await pick(stores, round).append(message(pick(parents, p + round), event("x")), 10_000);
        await pick(stores, round + 1).claim({ limit: 3, leaseMs: LEASE_MS });
        await pick(stores, round + 2).extend(run.facts.ns, run.facts.id, 1, LEASE_MS);
      }
    });
    await Promise.all(work);
    let mails = 0;
    for (const { facts } of parents) {
      expect((await stores[0].readHistory(facts.ns, facts.id, 0, 100, MOST_BYTES))?.records).toHaveLength(25);
      const mail = await stores[0].readMail(facts.ns, facts.id, 0);
      expect(mail.map(({ n }) => n)).toEqual(mail.map((_, i) => i + 1));
      mails += mail.length;
    }
    expect(mails).toBe(8 * 25 * 2);
  });
}
