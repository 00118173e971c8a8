import { newId, type RunCounts, type StreamedChanges, type StreamedRuns } from "@aikirun/protocol";
import { expect, it, onTestFinished, vi } from "vitest";
import { testDatabase } from "../store/database.js";
import { follow, type Source } from "./event-source.js";
import { ADMIN_KEY, type Started, start } from "./server.js";

/** Ends with success; the time only bounds how long a failure takes. */
const SOON = { timeout: 20_000, interval: 20 };
const KEY = { authorization: `Bearer ${ADMIN_KEY}` };

async function replicas(): Promise<[Started, Started]> {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const settings = { DATABASE_URL: database.url };
  return [await start("start", { settings }), await start("start", { settings })];
}

const runs = (source: Source, i: number) => (source.events[i]?.data as StreamedRuns | undefined)?.runs;
const changes = (source: Source) => source.events.slice(1).map(({ data }) => data as StreamedChanges);

it("shows on one replica what another does to the runs that are watched, and nothing twice", async () => {
  const [here, there] = await replicas();
  const ids = [newId("run"), newId("run", Date.now() + 1_000)] as const;
  await there.call("POST", "/v1/runs", { body: { id: ids[0], workflow: "w", version: "1" } });
  const all = await follow(here.server.port, "/v1/stream?limit=1", KEY);
  const queued = await follow(here.server.port, "/v1/stream?status=queued,running", KEY);
  expect([all.status, all.headers["content-type"], all.headers["cache-control"]]).toEqual([
    200,
    "text/event-stream",
    "no-store",
  ]);
  await vi.waitFor(() => expect(runs(all, 0)).toMatchObject([{ id: ids[0], workflow: "w" }]), SOON);
  await there.call("POST", "/v1/runs", { body: { id: ids[1], workflow: "w", version: "1" } });
  const newest = { runs: [expect.objectContaining({ id: ids[1] })], gone: [ids[0]] };
  await vi.waitFor(() => expect(changes(all)).toContainEqual(newest), SOON);
  // A list that is read once a second knows nothing of what comes and goes in between.
  const came = expect.objectContaining({ runs: [expect.objectContaining({ id: ids[1] })] });
  await vi.waitFor(() => expect(changes(queued)).toContainEqual(came), SOON);
  await there.call("POST", `/v1/runs/${ids[1]}/cancel`);
  const ended = { runs: [expect.objectContaining({ id: ids[1], status: "cancelled" })], gone: [] };
  await vi.waitFor(() => expect(changes(all)).toContainEqual(ended), SOON);
  await vi.waitFor(() => expect(changes(queued)).toContainEqual({ runs: [], gone: [ids[1]] }), SOON);
  expect(all.events.filter(({ event }) => event === "runs")).toHaveLength(1);
  for (const { runs: changed, gone } of changes(all)) expect(changed.length + gone.length).toBeGreaterThan(0);
});

it("goes on after the record that a browser had last", async () => {
  const [here, there] = await replicas();
  const id = newId("run");
  await there.call("POST", "/v1/runs", { body: { id, workflow: "w", version: "1" } });
  await there.call("POST", `/v1/runs/${id}/cancel`);
  await there.call("GET", `/v1/runs/${id}/wait`);
  const path = `/v1/runs/${id}/stream`;
  const first = await follow(here.server.port, path, KEY);
  await first.ended;
  expect(first.events.map(({ event, id: n }) => [event, n])).toEqual([
    ["record", "1"],
    ["run", "1"],
  ]);
  for (const headers of [{ "last-event-id": "1" }, { "last-event-id": "1; DROP TABLE" }]) {
    const again = await follow(here.server.port, `${path}?after=1`, { ...KEY, ...headers });
    await again.ended;
    expect(again.events.map(({ event }) => event)).toEqual(["run"]);
  }
  const behind = await follow(here.server.port, `${path}?after=1`, { ...KEY, "last-event-id": "0" });
  await behind.ended;
  expect(behind.events.map(({ event }) => event)).toEqual(["record", "run"]);
});

it("lets nobody read without a key, and refuses what no list takes", async () => {
  const [here] = await replicas();
  for (const [path, headers, status] of [
    ["/v1/stream", {}, 401],
    ["/v1/stream?status=gone", KEY, 400],
    ["/v1/stream?limit=0", KEY, 400],
    ["/v1/stream?cursor=run_1", KEY, 400],
  ] as const) {
    expect((await follow(here.server.port, path, headers)).status).toBe(status);
  }
});

it("counts runs, and says what needs a person", async () => {
  const [here] = await replicas();
  const id = newId("run");
  await here.call("POST", "/v1/runs", { body: { id, workflow: "w", version: "1" } });
  await vi.waitFor(async () => {
    const { json } = await here.call("GET", "/v1/attention");
    const unserved = [{ workflow: "w", version: "1", count: 1, more: false }];
    expect(json).toEqual({ stalled: { count: 0, more: false, runs: [] }, endpoints: [], unserved });
  }, SOON);
  const { counts } = (await here.call("GET", "/v1/runs/counts")).json as unknown as RunCounts;
  expect(counts).toMatchObject({ queued: { count: 1, more: false }, completed: { count: 0, more: false } });
});
