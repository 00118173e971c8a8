/** User code that waits for something real, while time is virtual. */
import { readFile } from "node:fs/promises";
import { setTimeout as realSleep } from "node:timers/promises";
import { mock, testAiki } from "@aikirun/testing";
import { task, workflow } from "@aikirun/workflow";
import { afterEach, expect, it, vi } from "vitest";

afterEach(() => {
  vi.useRealTimers();
});

const readSelf = task({
  name: "read-self",
  timeout: { seconds: 1 },
  handler: async () => (await readFile(new URL(import.meta.url), "utf8")).includes("read-self"),
});
const slow = task({ name: "slow", timeout: { seconds: 1 }, handler: async (ms: number) => realSleep(ms, ms) });

it("holds the clock while a task reads a file or waits for a real timer", async () => {
  const ioV1 = workflow({ name: "io" }).v("1.0.0", {
    async handler(run) {
      const read = await readSelf.start(run);
      await run.sleep("a day", { days: 1 });
      return [read, await slow.start(run, 50)];
    },
  });
  const aiki = testAiki({ workflows: [ioV1] });
  expect(await (await aiki.start(ioV1)).result()).toEqual([true, 50]);
  expect(aiki.now()).toEqual(new Date("2026-01-02T00:00:00Z"));
});

it("holds the clock while a handler awaits something that is not recorded", async () => {
  const plainV1 = workflow({ name: "plain" }).v("1.0.0", {
    async handler(run) {
      await realSleep(10);
      await run.sleep("a day", { days: 1 });
      await Promise.all([realSleep(10), readFile(new URL(import.meta.url))]);
      return slow.start(run, 1);
    },
  });
  const aiki = testAiki({ workflows: [plainV1] });
  expect(await (await aiki.start(plainV1)).result()).toBe(1);
  expect(aiki.now()).toEqual(new Date("2026-01-02T00:00:00Z"));
});

it("gives a task that never ends the time that it is allowed, once real patience is at its end", async () => {
  const hangsV1 = workflow({ name: "hangs" }).v("1.0.0", {
    handler: (run) => slow.start(run, 1).catch((error: Error) => error.message),
  });
  let aborted = false;
  const aiki = testAiki({
    workflows: [hangsV1],
    patienceMs: 20,
    tasks: [
      mock(slow, (_, { signal }) => {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        return new Promise<number>(() => {});
      }),
    ],
  });
  expect(await (await aiki.start(hangsV1)).result()).toMatch("took longer than its timeout of 1000 ms");
  expect(aborted).toBe(true);
  expect(aiki.now()).toEqual(new Date("2026-01-01T00:00:01Z"));
});

it("ends a task without a timeout when the time of its invocation is over", async () => {
  const forever = task({ name: "forever", handler: () => new Promise<void>(() => {}) });
  const foreverV1 = workflow({ name: "forever" }).v("1.0.0", { handler: (run) => forever.start(run) });
  const aiki = testAiki({ workflows: [foreverV1], patienceMs: 20, maxDuration: { seconds: 60 } });
  await expect((await aiki.start(foreverV1)).result()).rejects.toThrow("had not ended when the host's time ran out");
});

it("needs no real timer, so that a test may replace them all", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "setInterval", "queueMicrotask", "Date"] });
  const napsV1 = workflow({ name: "naps" }).v("1.0.0", {
    async handler(run) {
      await run.sleep("a month", { days: 30 });
      return readSelf.start(run);
    },
  });
  const aiki = testAiki({ workflows: [napsV1], tasks: [mock(readSelf, () => true)] });
  expect(await (await aiki.start(napsV1)).result()).toBe(true);
});

it("lets a task use the client of its own test", async () => {
  const childV1 = workflow({ name: "child" }).v("1.0.0", { handler: (run) => run.sleep("x", { days: 1 }) });
  const starts = task({ name: "starts", handler: async (_: string): Promise<string> => "" });
  const startsV1 = workflow({ name: "starts" }).v("1.0.0", { handler: (run) => starts.start(run, "go") });
  const aiki = testAiki({
    workflows: [childV1, startsV1],
    tasks: [mock(starts, async () => (await childV1.start(aiki.client)).id)],
  });
  const id = await (await aiki.start(startsV1)).result();
  await aiki.settle();
  expect((await aiki.runs(childV1)).map((run) => [run.id, run.run.status])).toEqual([[id, "completed"]]);
});

it("waits for the real work of many runs at once", async () => {
  const manyV1 = workflow({ name: "many" }).v("1.0.0", { handler: (run, ms: number) => slow.start(run, ms) });
  const aiki = testAiki({ workflows: [manyV1] });
  await manyV1.startMany(
    aiki.client,
    Array.from({ length: 600 }, () => 1),
  );
  await aiki.settle();
  expect((await aiki.runs(manyV1)).filter(({ run }) => run.status === "completed")).toHaveLength(600);
});
