/** Schedules as an application uses them: the SDK, over HTTP, with a real endpoint that is pushed to. */
import { client } from "@aikirun/client";
import { event, type ScheduleHandle, schedule, workflow } from "@aikirun/workflow";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ServerOptions } from "../../src/shell/node.js";
import { memoryStore } from "../../src/store/memory.js";
import { testDatabase } from "../store/database.js";
import { startApp } from "./app.js";
import { type Started, start } from "./server.js";

const reportV1 = workflow({ name: "report" }).v("1.0.0", {
  handler: async (_run, input: { team: string }) => `report for ${input.team}`,
});
const longV1 = workflow({ name: "long" }).v("1.0.0", {
  handler: async (run) => void (await run.events.enough.wait()),
  events: { enough: event() },
});

/** Polls end when it is so; the time only bounds how long a failure takes. */
const SOON = { timeout: 25_000 };
const EVERY_SECOND = { type: "interval", every: { seconds: 1 } } as const;

const databases: [string, () => Promise<Partial<ServerOptions>>][] = [
  ["in memory", async () => ({ store: memoryStore() })],
  [
    "on Postgres",
    async () => {
      const database = await testDatabase();
      onTestFinished(() => database.close());
      return { settings: { DATABASE_URL: database.url } };
    },
  ],
];

async function stage(options: Partial<ServerOptions>) {
  const aiki = await start("dev", options);
  const app = await startApp(aiki.server.url, [reportV1, longV1]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  return { ...aiki, api: client({ url: aiki.server.url }) };
}

const runsOf = async ({ call }: Pick<Started, "call">, { id }: ScheduleHandle, status = "") =>
  (await call("GET", `/v1/runs?schedule=${id}&limit=500${status && `&status=${status}`}`)).json.runs;

describe.each(databases)("a schedule, %s", { timeout: 60_000 }, (_where, database) => {
  it("starts run after run, never early, until it is deactivated", async () => {
    const aiki = await stage(await database());
    const handle = await schedule(EVERY_SECOND).activate(aiki.api, reportV1, { team: "ops" });
    const { createdAt, nextAt = 0 } = handle.schedule;
    await expect.poll(async () => (await runsOf(aiki, handle, "completed")).length, SOON).toBeGreaterThanOrEqual(3);
    await handle.deactivate();
    const runs = (await runsOf(aiki, handle)).toReversed();
    expect(nextAt).toBeGreaterThanOrEqual(createdAt + 500);
    for (const [i, run] of runs.entries()) expect(run.createdAt).toBeGreaterThanOrEqual(nextAt + i * 1_000);
    const last = await reportV1.getHandleById(aiki.api, runs.at(-1)?.id ?? "");
    expect(await last.waitForStatus("completed")).toMatchObject({ success: true, state: { output: "report for ops" } });
    await handle.deactivate();
    await expect(handle.pause()).rejects.toMatchObject({ code: "NOT_FOUND" });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await runsOf(aiki, handle)).toHaveLength(runs.length);
  });

  it("fires each instant once with two orchestrators", async () => {
    const options = await database();
    const [one, other] = [await stage(options), await start("dev", options)];
    const schedules = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        schedule({ type: "cron", expression: "* * * * * *" })
          .with("reference.id", `every-second-${i}`)
          .activate(one.api, reportV1, { team: String(i) }),
      ),
    );
    await expect
      .poll(
        async () => Math.min(...(await Promise.all(schedules.map((s) => runsOf(one, s)))).map((r) => r.length)),
        SOON,
      )
      .toBeGreaterThanOrEqual(3);
    for (const { id } of schedules) await other.call("POST", `/v1/schedules/${id}/pause`, { body: {} });
    for (const handle of schedules) {
      const { started } = await one.api.getSchedule(handle.id);
      const runs = await runsOf(one, handle);
      expect(runs).toHaveLength(started);
      const seconds = runs.map((run) => Math.floor(run.createdAt / 1_000));
      expect(new Set(runs.map((run) => run.id)).size).toBe(started);
      expect(seconds).toEqual(seconds.toSorted((a, b) => b - a));
    }
  });

  it("skips while its run goes on, and starts again when that has ended", async () => {
    const aiki = await stage(await database());
    const handle = await schedule({ ...EVERY_SECOND, overlapPolicy: "skip" }).activate(aiki.api, longV1);
    await expect.poll(async () => (await aiki.api.getSchedule(handle.id)).skipped, SOON).toBeGreaterThanOrEqual(2);
    const [first, ...more] = await runsOf(aiki, handle);
    expect(more).toEqual([]);
    expect(await handle.trigger()).toEqual({ runId: first?.id, started: false });
    await (await longV1.getHandleById(aiki.api, first?.id ?? "")).events.enough.send();
    await expect.poll(async () => (await runsOf(aiki, handle)).length, SOON).toBe(2);
    await handle.deactivate();
  });

  it("cancels the run before when it is to be replaced", async () => {
    const aiki = await stage(await database());
    const handle = await schedule({ ...EVERY_SECOND, overlapPolicy: "cancel_previous" }).activate(aiki.api, longV1);
    await expect.poll(async () => (await runsOf(aiki, handle, "cancelled")).length, SOON).toBeGreaterThanOrEqual(2);
    await handle.pause();
    const live = async () => (await runsOf(aiki, handle)).filter((run) => run.endedAt === undefined);
    await expect.poll(async () => (await live()).length, SOON).toBe(1);
    expect((await live())[0]?.id).toBe((await aiki.api.getSchedule(handle.id)).lastRun);
  });

  it("pauses, is triggered meanwhile, and goes on without making up for it", async () => {
    const aiki = await stage(await database());
    const handle = await schedule({ ...EVERY_SECOND, catchUp: "all" }).activate(aiki.api, reportV1, { team: "ops" });
    await handle.pause();
    expect(handle.schedule.status).toBe("paused");
    const before = (await runsOf(aiki, handle)).map((run) => run.id);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await runsOf(aiki, handle)).toHaveLength(before.length);
    const { runId, started } = await handle.trigger();
    expect(started).toBe(true);
    await (await reportV1.getHandleById(aiki.api, runId)).waitForStatus("completed");
    await handle.resume();
    const resumedAt = handle.schedule.nextAt ?? 0;
    await expect.poll(async () => (await runsOf(aiki, handle)).length, SOON).toBeGreaterThanOrEqual(before.length + 2);
    await handle.deactivate();
    const later = (await runsOf(aiki, handle)).filter((run) => run.id !== runId && !before.includes(run.id));
    for (const run of later) expect(run.createdAt).toBeGreaterThanOrEqual(resumedAt);
  });
});

it("makes one run of a downtime, or all of them", { timeout: 60_000 }, async () => {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const options = { settings: { DATABASE_URL: database.url } };
  const first = await stage(options);
  const one = await schedule(EVERY_SECOND).activate(first.api, reportV1, { team: "one" });
  const all = await schedule({ ...EVERY_SECOND, catchUp: "all" }).activate(first.api, reportV1, { team: "all" });
  await first.server.close();
  await new Promise((resolve) => setTimeout(resolve, 4_200));
  const next = await stage(options);
  await expect.poll(async () => (await runsOf(next, all)).length, SOON).toBeGreaterThanOrEqual(4);
  const [ofOne, ofAll] = await Promise.all([runsOf(next, one), runsOf(next, all)]);
  // Both have gone on since, by the same seconds.
  expect(ofAll.length - ofOne.length).toBeGreaterThanOrEqual(2);
});
