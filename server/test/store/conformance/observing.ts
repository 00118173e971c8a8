import { LIMITS, newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import { BUCKET_COUNT, NO_DURATIONS, withDuration } from "../../../src/core/buckets.js";
import type { NotedPush, PushMark } from "../../../src/core/run.js";
import type { EndpointMinute, Minute } from "../../../src/store/port.js";
import { type Arena, commit, END, end, hold, NS, newChild, newRun, park, taskDone } from "./arena.js";

const ENDPOINT = newId("ep", 1_000);

function mark(more: Partial<PushMark> = {}): PushMark {
  return { id: newId("push"), endpointId: ENDPOINT, seq: 0, durationMs: 12, delivery: 1, checkpoints: 0, ...more };
}

export function pushTests(given: () => Arena): void {
  it("are remembered by the commit that they brought, whatever it writes, alone or among others", async () => {
    const [store] = given().stores;
    const holders = await Promise.all(["a", "b", "c", "d", "e", "f"].map(() => hold(store)));
    const [a, b, c, d, e, f] = holders;
    if (!a || !b || !c || !d || !e || !f) throw new Error("no runs");
    const marks = holders.map((_, i) => mark({ seq: i, durationMs: 10 * i, delivery: 1 + i, checkpoints: i }));
    const listed = (runId: string) => store.listPushes(NS, runId);
    const shown = (push: PushMark | undefined) => [{ gen: 1, at: expect.any(Number), push }];
    await commit(store, a, { push: marks[0] as PushMark, records: [taskDone(1), taskDone(2)] });
    await commit(store, b, { push: marks[1] as PushMark, next: park("paused") });
    const child = newChild(c, "child:courier:1:a#0");
    await Promise.all([
      commit(store, c, { push: marks[2] as PushMark, children: [child], next: park("suspended", 5) }),
      commit(store, d, { push: marks[3] as PushMark, records: [taskDone(1)] }),
      end(store, e, { push: marks[4] as PushMark }),
      end(store, f, { push: marks[5] as PushMark, records: [taskDone(1)] }),
    ]);
    for (const [i, run] of holders.entries()) expect(await listed(run.facts.id)).toEqual(shown(marks[i]));
    const alone = await hold(store);
    const last = await commit(store, alone, { push: mark(), records: [taskDone(1)] });
    const ending = mark({ checkpoints: 7 });
    await end(store, last, { push: ending });
    expect((await listed(alone.facts.id)).map(({ push }) => push).at(0)).toEqual(ending);
    expect(await listed(alone.facts.id)).toHaveLength(2);
    expect(await store.listPushes("elsewhere", alone.facts.id)).toEqual([]);
    expect(await store.listPushes(NS, newId("run"))).toEqual([]);
  });

  it("leave nothing behind when their commit is fenced off", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    await store.bump(NS, run.facts.id, 1, 60_000);
    for (const records of [[], [taskDone(1)]]) {
      expect(await end(store, run, { push: mark(), records, next: END })).toEqual({ type: "fenced" });
      await expect(commit(store, run, { push: mark(), records })).rejects.toThrow("fenced");
    }
    expect(await store.listPushes(NS, run.facts.id)).toEqual([]);
  });

  it("are noted when no commit remembers them, once each, and only of runs that there are", async () => {
    const [store] = given().stores;
    const run = await hold(store);
    const runId = run.facts.id;
    const at = Math.ceil(store.now().latest);
    const noted: NotedPush[] = [
      { ns: NS, runId, gen: 1, at: at - 20, push: mark(), code: "ENDPOINT_TIMEOUT", message: "silence" },
      { ns: NS, runId, gen: 2, at: at - 10, push: mark({ delivery: 2 }) },
      { ns: NS, runId: newId("run"), gen: 1, at, push: mark() },
      { ns: "elsewhere", runId, gen: 1, at, push: mark() },
    ];
    await store.notePushes(noted);
    await store.notePushes(noted.slice(0, 1));
    await store.notePushes([]);
    expect(await store.listPushes(NS, runId)).toEqual([
      { gen: 2, at: at - 10, push: noted[1]?.push },
      { gen: 1, at: at - 20, push: noted[0]?.push, code: "ENDPOINT_TIMEOUT", message: "silence" },
    ]);
    expect(await store.listPushes("elsewhere", runId)).toEqual([]);
  });

  it("are forgotten but for the last of each run", async () => {
    const [store] = given().stores;
    const [many, few] = [await hold(store), await hold(store)];
    const at = Math.ceil(store.now().latest) - 1_000;
    const id = (i: number) => newId("push", at + i, new Uint8Array(16));
    const noted = (runId: string, i: number): NotedPush => ({
      ns: NS,
      runId,
      gen: 1,
      at: at + i,
      push: mark({ id: id(i) }),
    });
    await store.notePushes([noted(few.facts.id, 0)]);
    for (let i = 0; i < 150; i += 30)
      await store.notePushes(Array.from({ length: 30 }, (_, j) => noted(many.facts.id, i + j)));
    const kept = await store.listPushes(NS, many.facts.id);
    expect(kept.map(({ push }) => push.id)).toEqual(Array.from({ length: 100 }, (_, i) => id(149 - i)));
    expect(LIMITS.keptPushes).toBe(100);
    let run = many;
    for (let i = 150; i < 155; i++) run = await commit(store, run, { push: mark({ id: id(i) }) });
    const later = await store.listPushes(NS, many.facts.id);
    expect(later).toHaveLength(100);
    expect(later.slice(0, 5).map(({ push }) => push.id)).toEqual([154, 153, 152, 151, 150].map(id));
    expect(await store.listPushes(NS, few.facts.id)).toHaveLength(1);
  });
}

const MINUTE = 60_000;

export function statsTests(given: () => Arena): void {
  const minuteOf = (store: Arena["stores"][0], ago: number) =>
    Math.floor(store.now().latest / MINUTE) * MINUTE - ago * MINUTE;
  const none = { ns: NS, started: 0, completed: 0, failed: 0, cancelled: 0, backlog: 0, pushesFailed: 0 };
  const minute = (at: number, more: Partial<Minute>): Minute => {
    return { ...none, at, pushed: NO_DURATIONS, starts: NO_DURATIONS, ...more };
  };
  const durations = (...all: number[]) => all.reduce(withDuration, NO_DURATIONS);

  it("adds up what several processes count, and gives it back in steps", async () => {
    const { stores } = given();
    const [store] = stores;
    const [old, before, now] = [minuteOf(store, 10), minuteOf(store, 1), minuteOf(store, 0)];
    const one = minute(now, {
      started: 2,
      completed: 1,
      backlog: 3,
      pushed: durations(3, 4, 2_000_000),
      pushesFailed: 1,
    });
    const two = minute(now, { started: 1, failed: 5, backlog: 2, pushed: durations(3), starts: durations(50) });
    const earlier = minute(before, { cancelled: 4, backlog: 9 });
    const foreign = minute(now, { ns: "elsewhere", started: 99 });
    await Promise.all([
      stores.at(0)?.addMinutes([one, earlier], []),
      stores.at(1)?.addMinutes([two, foreign], []),
      stores.at(2)?.addMinutes([minute(old, { started: 7 })], []),
    ]);
    const sum = { started: 3, completed: 1, failed: 5, backlog: 3, pushesFailed: 1 };
    const all = minute(now, { ...sum, pushed: durations(3, 4, 2_000_000, 3), starts: durations(50) });
    expect(await store.readMinutes(NS, { from: before, to: now + MINUTE }, MINUTE)).toEqual([earlier, all]);
    expect(await store.readMinutes(NS, { from: before, to: now }, MINUTE)).toEqual([earlier]);
    const step = 60 * MINUTE;
    const from = Math.floor(old / step) * step;
    const steps = await store.readMinutes(NS, { from, to: now + MINUTE }, step);
    const started = steps.reduce((count, row) => count + row.started, 0);
    expect([started, Math.max(...steps.map((row) => row.backlog))]).toEqual([10, 9]);
    expect(steps.every(({ at, pushed }) => at % step === 0 && pushed.buckets.length === BUCKET_COUNT)).toBe(true);
  });

  it("adds up the pushes of each endpoint, the busiest first", async () => {
    const { stores } = given();
    const [store] = stores;
    const [before, now] = [minuteOf(store, 1), minuteOf(store, 0)];
    const [busy, idle] = [newId("ep"), newId("ep")];
    const row = (endpointId: string, at: number, ...all: number[]): EndpointMinute => {
      return { ns: NS, endpointId, at, pushesFailed: 1, pushed: durations(...all) };
    };
    await Promise.all([
      stores.at(0)?.addMinutes([], [row(idle, now, 5), row(busy, before, 7)]),
      stores.at(1)?.addMinutes([], [row(busy, now, 8, 9), row(busy, before, 7)]),
    ]);
    const span = { from: before, to: now + MINUTE };
    const total = { ...row(busy, before, 7, 7, 8, 9), pushesFailed: 3 };
    expect(await store.busiestEndpoints(NS, span, 10)).toEqual([total, row(idle, before, 5)]);
    expect(await store.busiestEndpoints(NS, span, 1)).toEqual([total]);
    expect(await store.readEndpointMinutes(NS, busy, span, MINUTE)).toEqual([
      { ...row(busy, before, 7, 7), pushesFailed: 2 },
      row(busy, now, 8, 9),
    ]);
    expect(await store.readEndpointMinutes("elsewhere", busy, span, MINUTE)).toEqual([]);
    expect(await store.busiestEndpoints("elsewhere", span, 10)).toEqual([]);
  });

  it("forgets what is older than a week", async () => {
    const [store] = given().stores;
    const [old, kept] = [minuteOf(store, 7 * 24 * 60 + 1), minuteOf(store, 7 * 24 * 60 - 1)];
    const endpoint = { ns: NS, endpointId: newId("ep"), pushesFailed: 0, pushed: durations(1) };
    for (const at of [old, kept]) await store.addMinutes([minute(at, { started: 1 })], [{ ...endpoint, at }]);
    await store.addMinutes([minute(kept, { started: 1 })], []);
    const span = { from: old, to: kept + MINUTE };
    expect((await store.readMinutes(NS, span, MINUTE)).map(({ at, started }) => [at, started])).toEqual([[kept, 2]]);
    expect(await store.readEndpointMinutes(NS, endpoint.endpointId, span, MINUTE)).toHaveLength(1);
  });

  it("counts what is due and in nobody's hands, by namespace, up to a bound", async () => {
    const [store] = given().stores;
    await hold(store);
    await store.start(newRun({}, { trigger: { delayMs: 60_000 } }), undefined);
    for (let i = 0; i < 3; i++) await store.start(newRun(), undefined);
    await store.start(newRun({ ns: "elsewhere" }), undefined);
    expect((await store.countDue(100)).sort((a, b) => a.due - b.due)).toEqual([
      { ns: "elsewhere", due: 1 },
      { ns: NS, due: 3 },
    ]);
    expect((await store.countDue(2)).reduce((sum, { due }) => sum + due, 0)).toBe(2);
  });
}
