import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { SOON, staged } from "./stage.js";

const sleeper = workflow({ name: "sleeper" }).v("1", {
  handler: async (run, days: number) => {
    const { cancelled } = await run.sleep("long", { days });
    return { cancelled, reference: run.options.reference ?? null };
  },
});
/** How often the handler of the gate was entered. */
let entered = 0;
const gate = workflow({ name: "gate" }).v("1", {
  async handler(run) {
    entered += 1;
    return (await run.events.opened.wait()).data;
  },
  events: { opened: event<string>() },
});

/** What the slow task of a test waits for, and how often it ran. */
function workshop() {
  let release = () => {};
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  const seen = { started: 0, after: 0, aborted: 0 };
  const slow = task({
    name: "slow",
    async handler(_input: number, { signal }) {
      seen.started++;
      signal.addEventListener("abort", () => seen.aborted++);
      await opened;
      return "done";
    },
  });
  const after = task({ name: "after", handler: async () => ++seen.after });
  const slowV1 = workflow({ name: "slow" }).v("1", {
    async handler(run) {
      const result = await slow.start(run, 1);
      await after.start(run);
      return result;
    },
  });
  const family = workflow({ name: "family" }).v("1", {
    async handler(run, children: number) {
      const started = await Promise.all(
        Array.from({ length: children }, (_, i) => gate.with("reference.id", `kid-${i}`).startAsChild(run)),
      );
      const ends = await Promise.all(started.map((child) => child.waitForStatus("completed")));
      return ends.filter(({ success }) => success).length;
    },
  });
  return { seen, release: () => release(), slowV1, family };
}

describe("control", () => {
  async function stage() {
    const shop = workshop();
    const { aiki: api, app } = await staged([sleeper, gate, shop.slowV1, shop.family]);
    return { ...shop, app, api };
  }
  const status = (handle: { refresh(): Promise<{ status: string }> }) =>
    expect.poll(async () => (await handle.refresh()).status, SOON);

  it("wakeup ends a sleep of years", async () => {
    const { api } = await stage();
    const handle = await sleeper.start(api, 3_000);
    await status(handle).toBe("suspended");
    await handle.wakeup();
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: { cancelled: true } } });
  });

  it("wakeup without a sleep changes nothing", async () => {
    const { api } = await stage();
    const handle = await gate.start(api);
    await status(handle).toBe("suspended");
    await handle.wakeup();
    await handle.resume();
    await handle.requeue();
    await handle.events.opened.send("by the guard");
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: "by the guard" } });
    await expect(handle.wakeup()).rejects.toMatchObject({ code: "RUN_ENDED", details: { status: "completed" } });
    for (const verb of ["pause", "resume", "requeue"] as const) {
      await expect(handle[verb]()).rejects.toMatchObject({ code: "RUN_ENDED" });
    }
    await handle.cancel();
    await expect(handle.events.opened.send("again")).rejects.toMatchObject({ code: "RUN_ENDED" });
  });

  it("pause lets the task that runs end, and nothing after it starts before resume", async () => {
    const { api, seen, release, slowV1 } = await stage();
    const handle = await slowV1.start(api);
    await expect.poll(() => seen.started, SOON).toBe(1);
    await handle.pause();
    expect((await handle.refresh()).status).toBe("running");
    release();
    await status(handle).toBe("paused");
    expect(await handle.refresh()).toMatchObject({ records: 1 });
    expect(seen).toEqual({ started: 1, after: 0, aborted: 0 });
    await handle.resume();
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: "done" } });
    expect(seen).toEqual({ started: 1, after: 1, aborted: 0 });
  });

  it("a paused run keeps its events, is not woken by its timers, and can be cancelled", async () => {
    const { api } = await stage();
    const waiting = await gate.start(api);
    await waiting.pause();
    await status(waiting).toBe("paused");
    await waiting.events.opened.send("meanwhile");
    const asleep = await sleeper.start(api, 0);
    const cancelled = await sleeper.start(api, 1);
    await status(cancelled).toBe("suspended");
    await cancelled.pause();
    await status(cancelled).toBe("paused");
    await cancelled.cancel("no more");
    expect(await cancelled.waitForStatus("cancelled")).toMatchObject({ state: { reason: "no more" } });
    expect(await asleep.waitForStatus("completed")).toMatchObject({ success: true });
    expect((await waiting.refresh()).status).toBe("paused");
    await waiting.resume();
    expect(await waiting.waitForStatus("completed")).toMatchObject({ state: { output: "meanwhile" } });
  });

  it("cancel aborts the task that runs; a hundred of them are one", async () => {
    const { api, seen, release, slowV1 } = await stage();
    const handle = await slowV1.start(api);
    await expect.poll(() => seen.started, SOON).toBe(1);
    await Promise.all(Array.from({ length: 100 }, () => handle.cancel("enough")));
    expect(await handle.waitForStatus("cancelled")).toMatchObject({ success: true });
    await expect.poll(() => seen.aborted, SOON).toBe(1);
    release();
    const { records } = await api.readHistory(handle.id);
    expect(records.map(({ kind, value }) => `${kind} ${value.state}`)).toEqual(["run cancelled"]);
  });

  it("cancel ends a run whose endpoint is gone", async () => {
    const { api } = await stage();
    const handle = await workflow({ name: "nobody" })
      .v("1", { async handler() {} })
      .start(api);
    await expect.poll(async () => (await handle.refresh()).trouble?.code, SOON).toBe("WORKFLOW_NOT_SERVED");
    await handle.cancel();
    expect(await handle.waitForStatus("cancelled")).toMatchObject({ success: true });
  });

  it("a delayed start keeps its time whatever is sent to it, and wakeup starts it now", async () => {
    const { api } = await stage();
    const later = gate.with("trigger", { type: "delayed", delay: { days: 30 } });
    const handle = await later.start(api);
    const before = entered;
    await handle.events.opened.send("early");
    await handle.pause();
    await status(handle).toBe("paused");
    await handle.resume();
    await status(handle).toBe("scheduled");
    expect((await handle.refresh()).nextAt).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    expect(entered).toBe(before);
    await handle.wakeup();
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: "early" } });
    const past = gate.with("trigger", { type: "at", at: new Date(Date.now() - 60_000) });
    const now = await past.start(api);
    await status(now).toBe("suspended");
    const never = await later.start(api);
    await never.cancel();
    expect(await never.waitForStatus("cancelled")).toMatchObject({ success: true });
    expect((await never.refresh()).records).toBe(1);
  });

  it("a child outlives a parent that ends at once, and starts after its delay", async () => {
    const { api, app } = await stage();
    const parentV1 = workflow({ name: "parent" }).v("1", {
      handler: async (run) => (await sleeper.with("trigger", { type: "delayed", delay: 700 }).startAsChild(run, 0)).id,
    });
    await app.serve([sleeper, parentV1]);
    const parent = await parentV1.start(api);
    const ended = await parent.waitForStatus("completed");
    const child = await sleeper.getHandleById(api, ended.success ? ended.state.output : "");
    expect(child.run).toMatchObject({ status: "scheduled", parent: parent.id });
    expect(await child.waitForStatus("completed")).toMatchObject({ success: true });
    const { records } = await api.readHistory(child.id);
    expect((records[0]?.at ?? 0) - child.run.createdAt).toBeGreaterThanOrEqual(700);
  });

  it("a child's reference is its parent's own: it names one child there, and collides with nobody's", async () => {
    const { api, family } = await stage();
    const stranger = await gate.with("reference.id", "kid-0").start(api);
    const [one, two] = [await family.start(api, 1), await family.start(api, 1)];
    const childOf = (parent: { id: string }) =>
      gate.getHandleByReferenceId(api, "kid-0", { parent: parent.id }).then(
        ({ id }) => id,
        (error: { code: string }) => error.code,
      );
    await expect.poll(() => childOf(one), SOON).toMatch(/^run_/);
    await expect.poll(() => childOf(two), SOON).toMatch(/^run_/);
    const ids = [stranger.id, await childOf(one), await childOf(two)];
    expect(new Set(ids).size).toBe(3);
    expect((await gate.getHandleByReferenceId(api, "kid-0")).id).toBe(stranger.id);
    expect(await childOf(stranger)).toBe("NOT_FOUND");
    const again = await gate.with("reference.id", "kid-0").start(api);
    expect(again.id).toBe(stranger.id);
    const kid = await gate.getHandleById(api, ids[1] ?? "");
    expect(kid.run).toMatchObject({ parent: one.id, reference: "kid-0" });
    await kid.events.opened.send("now");
    expect(await one.waitForStatus("completed")).toMatchObject({ state: { output: 1 } });
  });

  it("events by reference are one however often they come, also before the run waits", async () => {
    const { api } = await stage();
    const handle = await gate.with("reference.id", "order-1").start(api);
    const once = handle.events.opened.with("reference.id", "delivery-1");
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => once.send("sesame")));
    expect(outcomes.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await handle.waitForStatus("completed")).toMatchObject({ success: true });
    const sent = await gate.events.opened.sendByReferenceId(api, ["order-1", "order-2"], "late");
    expect(sent.map(({ outcome }) => outcome)).toEqual(["ended", "not_found"]);
  });
});
