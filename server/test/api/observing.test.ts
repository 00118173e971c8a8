import { newId, type RunPushList, type Stats } from "@aikirun/protocol";
import { task, workflow } from "@aikirun/workflow";
import { expect, it, vi } from "vitest";
import { startApp } from "./app.js";
import { databases } from "./databases.js";
import { type Started, start } from "./server.js";

const add = task({ name: "add", handler: async (n: number) => n + 1 });
const sums = workflow({ name: "sums" }).v("1.0.0", {
  handler: async (run) => add.start(run, await add.start(run, 1)),
});
const asleep = workflow({ name: "asleep" }).v("1.0.0", {
  async handler(run) {
    await run.sleep("night", { hours: 1 });
  },
});

const SOON = { timeout: 20_000, interval: 50 };
const MINUTE = 60_000;

async function pushesOf({ call }: Started, id: string) {
  return ((await call("GET", `/v1/runs/${id}/pushes`)).json as unknown as RunPushList).pushes;
}

it.each(databases)("tells what became of each push, and counts it, %s", async (_where, options) => {
  const given = await options();
  const aiki = await start("dev", given);
  const app = await startApp(aiki.server.url, [sums, asleep]);
  const { json: endpoint } = await aiki.call("POST", "/v1/endpoints", { body: { url: app.url, name: "shop" } });
  let failures = 2;
  app.intercept((request) => {
    const isPush = request.headers.get("authorization") !== null && failures-- > 0;
    return isPush ? new Response("no", { status: 500 }) : undefined;
  });
  const id = newId("run");
  await aiki.call("POST", "/v1/runs", { body: { id, workflow: "sums", version: "1.0.0" } });
  expect((await aiki.call("GET", `/v1/runs/${id}/wait`)).json.run).toMatchObject({ status: "completed", output: 3 });
  await vi.waitFor(async () => expect(await pushesOf(aiki, id)).toHaveLength(3), SOON);
  const [last, second, first] = await pushesOf(aiki, id);
  const shop = { id: endpoint.id, name: "shop", url: app.url };
  expect(first).toMatchObject({
    endpoint: shop,
    outcome: "ENDPOINT_ERROR",
    delivery: 1,
    checkpoints: 0,
    gen: 1,
    seq: 0,
  });
  expect(first?.message).toContain("500");
  expect(second).toMatchObject({ endpoint: shop, outcome: "ENDPOINT_ERROR", delivery: 2, gen: 2 });
  expect(last).toMatchObject({ endpoint: shop, outcome: "committed", delivery: 3, checkpoints: 1, gen: 3, seq: 0 });
  expect(last).not.toHaveProperty("message");
  const { createdAt } = (await aiki.call("GET", `/v1/runs/${id}`)).json;
  expect(first?.startedAt).toBeGreaterThanOrEqual(createdAt - 50);
  expect(second?.startedAt).toBeGreaterThan(first?.startedAt ?? 0);

  // A push that brings nothing to record is remembered all the same; one that was called off is.
  const sleeper = newId("run");
  await aiki.call("POST", "/v1/runs", { body: { id: sleeper, workflow: "asleep", version: "1.0.0" } });
  await vi.waitFor(async () => expect(await pushesOf(aiki, sleeper)).toHaveLength(1), SOON);
  await aiki.call("POST", `/v1/runs/${sleeper}/wakeup`);
  await aiki.call("GET", `/v1/runs/${sleeper}/wait`);
  await vi.waitFor(async () => expect(await pushesOf(aiki, sleeper)).toHaveLength(2), SOON);
  expect((await pushesOf(aiki, sleeper)).map(({ outcome }) => outcome)).toEqual(["committed", "committed"]);
  expect((await aiki.call("GET", `/v1/runs/${newId("run")}/pushes`)).status).toBe(404);

  // What it counted is in the store once it has stopped.
  await aiki.server.close();
  const next = await start("dev", given);
  await vi.waitFor(async () => {
    const { endpoints } = (await next.call("GET", "/v1/endpoints")).json;
    expect(endpoints).toHaveLength(1);
  }, SOON);
  const stats = (await next.call("GET", "/v1/stats")).json as unknown as Stats;
  expect(stats.stepMs).toBe(MINUTE);
  expect(stats.points.length).toBeGreaterThanOrEqual(60);
  const sum = (pick: (point: Stats["points"][number]) => number) =>
    stats.points.reduce((all, point) => all + pick(point), 0);
  expect(sum(({ started }) => started)).toBe(2);
  expect(sum(({ completed }) => completed)).toBe(2);
  expect([sum(({ pushes }) => pushes.count), sum(({ pushes }) => pushes.failed)]).toEqual([5, 2]);
  expect(stats.points.some(({ startLatency }) => startLatency !== undefined)).toBe(true);
  expect(stats.endpoints).toMatchObject([{ ...shop, pushes: { count: 5, failed: 2, latency: {} } }]);
  const { json: series } = await next.call("GET", `/v1/endpoints/${endpoint.id}/stats`);
  expect(series).toMatchObject({ total: { count: 5, failed: 2 }, stepMs: MINUTE });
});

it("refuses statistics that it cannot give", async () => {
  const { call } = await start("dev");
  const now = Date.now();
  for (const [query, says] of [
    ["step=90000", "multiple of 60000"],
    ["step=1000", "60000"],
    [`from=${now}&to=${now - 1}`, "not before"],
    [`from=${now - 3 * 24 * 60 * MINUTE}&step=${MINUTE}`, "at most 1500"],
    ["from=yesterday", "from"],
  ] as const) {
    const { status, json } = await call("GET", `/v1/stats?${query}`);
    expect([query, status, json.error.message]).toEqual([query, 400, expect.stringContaining(says)]);
  }
  const week = (await call("GET", `/v1/stats?from=0&to=${now}`)).json as unknown as Stats;
  expect(week.points.length).toBeLessThanOrEqual(181);
  expect(week.to - week.from).toBeLessThanOrEqual(7 * 24 * 60 * MINUTE + week.stepMs);
});
