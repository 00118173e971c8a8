import { type Faults, testAiki } from "@aikirun/testing";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";

const first = task({ name: "first", handler: async (n: number) => n + 1 });
const second = task({ name: "second", handler: async (n: number) => n + 1 });
const twoV1 = workflow({ name: "two" }).v("1.0.0", {
  async handler(run) {
    const one = await first.start(run, 0);
    await run.events.go.wait();
    return second.start(run, one);
  },
  events: { go: event() },
});

const faults: readonly { fault: keyof Faults; ofFirst: number; laterMs: readonly [number, number] }[] = [
  { fault: "loseAnswer", ofFirst: 2, laterMs: [50, 100] },
  { fault: "doublePush", ofFirst: 2, laterMs: [0, 0] },
  { fault: "failDelivery", ofFirst: 1, laterMs: [50, 100] },
  { fault: "crash", ofFirst: 2, laterMs: [30_001, 30_001] },
];

describe.each([true, false])("with checkpoints %s", (checkpoints) => {
  it.each(faults)("$fault costs a repetition and records once", async ({ fault, ofFirst, laterMs }) => {
    const aiki = testAiki({ workflows: [twoV1], checkpoints });
    const injected = aiki.faults[fault]();
    const run = await aiki.start(twoV1);
    await aiki.advance({ minutes: 1 });
    expect(injected.struck).toBe(1);
    expect(aiki.calls(first)).toHaveLength(ofFirst);
    expect(new Set(aiki.calls(first).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
    await run.events.go.send();
    expect(await run.result()).toBe(2);
    const { run: ended, records } = await run.history();
    expect(records.filter(({ kind }) => kind === "task")).toHaveLength(2);
    const firstAt = (records[0]?.at ?? 0) - ended.createdAt;
    expect(firstAt).toBeGreaterThanOrEqual(laterMs[0]);
    expect(firstAt).toBeLessThanOrEqual(laterMs[1]);
  });
});

const stepsV1 = workflow({ name: "steps" }).v("1.0.0", {
  async handler(run) {
    let n = 0;
    while (n < 3) n = await first.start(run, n);
    return second.start(run, n);
  },
});

it("a lost acknowledgement costs no repetition: what was written counts", async () => {
  const aiki = testAiki({ workflows: [stepsV1] });
  const lost = aiki.faults.loseAcknowledgement();
  expect(await (await aiki.start(stepsV1)).result()).toBe(4);
  expect(lost.struck).toBe(1);
  expect(aiki.calls(first)).toHaveLength(3);
});

it("an answer that is lost after checkpoints repeats only what came after them", async () => {
  const aiki = testAiki({ workflows: [stepsV1] });
  aiki.faults.loseAnswer();
  expect(await (await aiki.start(stepsV1)).result()).toBe(4);
  expect([aiki.calls(first).length, aiki.calls(second).length]).toEqual([3, 2]);
});

it("strikes only the version that it is meant for, as often as it is meant to", async () => {
  const aiki = testAiki({ workflows: [twoV1, stepsV1] });
  const lost = aiki.faults.failDelivery({ of: stepsV1, times: 3 });
  await aiki.start(twoV1);
  expect([lost.struck, aiki.calls(first).length]).toEqual([0, 1]);
  expect(await (await aiki.start(stepsV1)).result()).toBe(4);
  expect(lost.struck).toBe(3);
});
