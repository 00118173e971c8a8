/**
 * What users of the earlier Aiki met, by name, in runs through a real endpoint over HTTP and Postgres. This file: waits.
 * `tasks.test.ts`: tasks and changed code. Elsewhere, where each has a place of its own:
 *
 * | | |
 * |---|---|
 * | lost wake-ups in every order of statements | server/test/simulation.test.ts: "park forgets unread mail" and others |
 * | history beyond 10,000 records | server/test/api/long-history.test.ts |
 * | unbounded catch-up, intervals beyond 24.8 days | server/test/core/schedule.test.ts |
 * | a write under a fence that is no longer one's own, at the store | server/test/store/conformance/committing.ts |
 * | events to a wait that lost a race | sdk/workflow/test/races.test.ts |
 */
import { setTimeout as delay } from "node:timers/promises";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { SOON, type Stage, staged } from "../stage.js";

const LONG = { timeout: 60_000 };

const waits = workflow({ name: "waits" }).v("1", {
  events: { go: event() },
  async handler(run): Promise<string> {
    await run.events.go.wait();
    return "went";
  },
});
const fails = workflow({ name: "fails" }).v("1", {
  events: { go: event() },
  async handler(run): Promise<string> {
    await run.events.go.wait();
    throw new Error("the courier is ill");
  },
});

/** Waits for its child to complete, and for nothing else: without a timeout only the child's end wakes it. */
const parentOf = (child: typeof waits | typeof fails, sleepMs = 1) =>
  workflow({ name: "parent" }).v("1", {
    async handler(run) {
      const handle = await child.startAsChild(run);
      await run.sleep("before", sleepMs);
      const end = await handle.waitForStatus("completed");
      return end.success ? end.state.output : end.cause;
    },
  });

const go = (stage: Stage, id: string) => stage.aiki.sendEvent(id, { name: "go" });
const statusOf = async (stage: Stage, id: string) => (await stage.aiki.getRun(id)).status;

async function childOf(stage: Stage, id: string): Promise<string> {
  let childId = "";
  await expect
    .poll(async () => {
      for (const record of await stage.history(id)) if (record.kind === "child") childId = record.value.runId;
      return childId;
    }, SOON)
    .not.toBe("");
  return childId;
}

describe("lost wake-up:", LONG, () => {
  it("an event that is sent after the handler began to wait, and before the run is parked, wakes it", async () => {
    const stage = await staged([waits]);
    let heldAnswers = 0;
    stage.beforeAnswer("waits", async (runId) => {
      heldAnswers += 1;
      await go(stage, runId);
    });
    const handle = await waits.start(stage.aiki);
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: "went" } });
    expect(heldAnswers).toBe(1);
  });

  it("a child that ends after its parent began to wait, and before that is parked, wakes it", async () => {
    const parent = parentOf(waits, 500);
    const stage = await staged([parent, waits]);
    const handle = await parent.start(stage.aiki);
    const child = await childOf(stage, handle.id);
    let heldAnswers = 0;
    stage.beforeAnswer("parent", async () => {
      heldAnswers += 1;
      await go(stage, child);
      await expect.poll(() => statusOf(stage, child), SOON).toBe("completed");
    });
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: "went" } });
    expect(heldAnswers).toBe(1);
  });

  it("many events that are sent while a run comes to rest are all received, each once and in their order", async () => {
    const counts = workflow({ name: "counts" }).v("1", {
      events: { n: event<number>() },
      async handler(run) {
        const seen: number[] = [];
        while (seen.length < 40) seen.push((await run.events.n.wait()).data);
        return seen;
      },
    });
    const stage = await staged([counts]);
    const handle = await counts.start(stage.aiki);
    for (let n = 0; n < 40; n++) {
      await handle.events.n.send(n);
      if (n % 3 === 0) await delay(n % 7);
    }
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({
      success: true,
      state: { output: Array.from({ length: 40 }, (_, n) => n) },
    });
  });
});

describe("child ending otherwise:", LONG, () => {
  const ways: [string, typeof waits | typeof fails, (stage: Stage, child: string) => Promise<unknown>][] = [
    ["fails", fails, go],
    ["is cancelled", waits, (stage, child) => stage.aiki.cancelRun(child, {})],
    [
      "is cancelled with every run of its workflow",
      waits,
      (stage) => stage.aiki.cancelRuns({ filter: { workflow: "waits" } }),
    ],
  ];
  it.each(ways)("a parent that waits for it to complete goes on when it %s", async (_how, child, end) => {
    const parent = parentOf(child);
    const stage = await staged([parent, child]);
    const handle = await parent.start(stage.aiki);
    const childId = await childOf(stage, handle.id);
    await expect
      .poll(async () => (await stage.aiki.getRun(handle.id)).waitsFor, SOON)
      .toMatchObject([{ kind: "child" }]);
    await end(stage, childId);
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({
      success: true,
      state: { output: "run_terminated" },
    });
  });
});

describe("sleeps:", LONG, () => {
  const napFor = (duration: number | { hours: number }) =>
    workflow({ name: "naps" }).v("1", {
      events: { go: event() },
      async handler(run) {
        await run.sleep("nap", duration);
        await run.events.go.wait();
        return "awake";
      },
    });

  it.each([
    ["lengthened", { hours: 1 }],
    ["shortened", 1],
  ] as const)("a sleep that is %s by a deploy while it lasts ends when it was to end, once", async (_how, changed) => {
    const stage = await staged([napFor(400)]);
    const handle = await napFor(400).start(stage.aiki);
    const sleeps = async () => (await stage.history(handle.id)).filter(({ kind }) => kind === "sleep");
    await expect.poll(async () => (await sleeps()).length, SOON).toBe(1);
    await stage.app.serve([napFor(changed)]);
    await expect
      .poll(async () => (await sleeps()).map(({ value }) => value.state), SOON)
      .toEqual(["sleeping", "completed"]);
    // Each of these replays it once more.
    await handle.events.go.send();
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: "awake" } });
    expect(await sleeps()).toHaveLength(2);
  });
});

describe("suspension is no exception:", LONG, () => {
  it("what surrounds a wait neither catches it nor cleans up after it", async () => {
    const ran: string[] = [];
    const note = task({
      name: "note",
      async handler(text: string) {
        ran.push(text);
      },
    });
    const guarded = workflow({ name: "guarded" }).v("1", {
      events: { go: event() },
      async handler(run) {
        try {
          await run.sleep("nap", 50);
          await run.events.go.wait();
          return "went";
        } catch (error) {
          return `caught ${String(error)}`;
        } finally {
          await note.start(run, "finally");
        }
      },
    });
    const stage = await staged([guarded]);
    const handle = await guarded.start(stage.aiki);
    await expect
      .poll(async () => (await stage.aiki.getRun(handle.id)).waitsFor, SOON)
      .toMatchObject([{ kind: "event" }]);
    expect(ran).toEqual([]);
    await handle.events.go.send();
    expect(await handle.waitForStatus("completed", SOON)).toMatchObject({ success: true, state: { output: "went" } });
    expect(ran).toEqual(["finally"]);
  });
});
