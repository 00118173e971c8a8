/** Whole runs whose invocations go on by checkpoints: real HTTP both ways, on a real Postgres. */
import { setTimeout as delay } from "node:timers/promises";
import { newId, type WorkPush, workPollAnswerSchema } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { openPostgresStore } from "../../src/store/postgres/store.js";
import { type TestDatabase, testDatabase } from "../store/database.js";
import { type App, startApp } from "./app.js";
import { type Balancer, startBalancer } from "./balancer.js";
import { type Started, start } from "./server.js";

const SOON = { timeout: 30_000 };
const GRACE_MS = 25_000;

/** Executions of each task of each run. */
const executed = new Map<string, number>();
let aborted: string[] = [];
let logged: unknown[] = [];
beforeEach(() => {
  executed.clear();
  aborted = [];
  logged = [];
});

const tick = task({
  name: "tick",
  async handler({ at, ms }: { at: number; ms: number }, { run, signal }) {
    const name = `${run.id} ${at}`;
    executed.set(name, (executed.get(name) ?? 0) + 1);
    signal.addEventListener("abort", () => aborted.push(name));
    if (ms > 0) await delay(ms);
    return at;
  },
});
const ticks = workflow({ name: "ticks" }).v("1", {
  async handler(run, { count, ms }: { count: number; ms: number }) {
    let sum = 0;
    for (let at = 0; at < count; at++) sum += await tick.start(run, { at, ms });
    return sum;
  },
});
const sumOf = (count: number) => (count * (count - 1)) / 2;
/** Ticks until it has heard and slept; tells how many ticks it took, and in which order the two came. */
const listens = workflow({ name: "listens" }).v("1", {
  async handler(run) {
    const came: string[] = [];
    void run.events.word.wait().then(({ data }) => came.push(data));
    void run.sleep("nap", 300).then(() => came.push("slept"));
    for (let at = 0; came.length < 2; at++) await tick.start(run, { at, ms: 10 });
    return came;
  },
  events: { word: event<string>() },
});

interface World {
  readonly database: TestDatabase;
  readonly aiki: Started;
  readonly app: App;
  /** In front of all orchestrators; what endpoints write checkpoints to. */
  readonly front: Balancer;
  another(): Promise<Started>;
}

async function world(): Promise<World> {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const front = await startBalancer();
  const another = async () => {
    const settings = { DATABASE_URL: database.url, AIKI_PUBLIC_URL: front.url, AIKI_STOP_GRACE_MS: GRACE_MS };
    const aiki = await start("dev", { settings });
    front.add(`http://127.0.0.1:${aiki.server.port}`);
    return aiki;
  };
  const aiki = await another();
  const app = await startApp(`http://127.0.0.1:${aiki.server.port}`, []);
  const note = (...args: unknown[]) => void logged.push(args);
  const logger = { trace() {}, debug() {}, info() {}, warn: note, error: note };
  app.serve([ticks, listens], { logger });
  expect((await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } })).status).toBe(201);
  return { database, aiki, app, front, another };
}

async function startRun({ call }: Started, workflow: string, input?: object): Promise<string> {
  const id = newId("run");
  const body = { id, workflow, version: "1", ...(input && { input }) };
  expect((await call("POST", "/v1/runs", { body })).status).toBe(201);
  return id;
}
const ended = async ({ call }: Started, id: string) =>
  (await call("GET", `/v1/runs/${id}/wait?timeoutMs=30000`)).json.run as { status: string; output?: unknown };
const runOf = async ({ call }: Started, id: string) => (await call("GET", `/v1/runs/${id}`)).json;
const recordedTicks = async ({ database }: World, id: string) =>
  (
    await database.pool.query(
      "SELECT count(*)::int, count(DISTINCT key)::int AS keys FROM aiki.record WHERE run_id = $1 AND kind = 'task'",
      [id],
    )
  ).rows[0];

describe("a run with checkpoints", { timeout: 60_000 }, () => {
  it("of 200 tasks takes one push", async () => {
    const it = await world();
    const before = it.app.requests;
    const id = await startRun(it.aiki, "ticks", { count: 200, ms: 0 });
    expect(await ended(it.aiki, id)).toMatchObject({ status: "completed", output: sumOf(200) });
    expect([it.app.requests - before, it.front.taken]).toEqual([1, [199]]);
    expect(await recordedTicks(it, id)).toEqual({ count: 200, keys: 200 });
  });

  it("hears of an event and a timer with the next acknowledgement", async () => {
    const it = await world();
    const before = it.app.requests;
    const id = await startRun(it.aiki, "listens");
    await expect.poll(() => executed.size, SOON).toBeGreaterThan(1);
    await it.aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "word", data: "hello" } });
    const { status, output } = await ended(it.aiki, id);
    // The nap may be over before the event is on its way.
    expect([status, [...(output as string[])].sort()]).toEqual(["completed", ["hello", "slept"]]);
    expect(it.app.requests - before).toBe(1);
    expect([...executed.values()].every((times) => times === 1)).toBe(true);
  });

  it("comes to rest after the task under way when it is paused, and goes on when it is resumed", async () => {
    const it = await world();
    const before = it.app.requests;
    const id = await startRun(it.aiki, "ticks", { count: 40, ms: 20 });
    await expect.poll(() => executed.size, SOON).toBeGreaterThan(2);
    const { store } = await openPostgresStore({ url: it.database.url });
    onTestFinished(() => store.close());
    const send = (kind: "pause" | "resume") =>
      store.append({ ns: "default", runId: id, eventId: newId("msg"), body: { kind } }, 100);
    await send("pause");
    await expect.poll(async () => (await runOf(it.aiki, id)).status, SOON).toBe("paused");
    const atPause = executed.size;
    expect(atPause).toBeLessThan(40);
    await delay(100);
    expect([executed.size, it.app.requests - before]).toEqual([atPause, 1]);
    await send("resume");
    expect(await ended(it.aiki, id)).toMatchObject({ status: "completed", output: sumOf(40) });
    expect([[...executed.values()].every((times) => times === 1), it.app.requests - before]).toEqual([true, 2]);
  });

  it("is cancelled in the middle of a task, whose signal aborts, or with the next acknowledgement", async () => {
    const it = await world();
    const long = await startRun(it.aiki, "ticks", { count: 3, ms: 3_000 });
    const quick = await startRun(it.aiki, "ticks", { count: 10_000, ms: 1 });
    await expect.poll(() => executed.has(`${long} 0`) && executed.size > 5, SOON).toBe(true);
    await Promise.all([long, quick].map((id) => it.aiki.call("POST", `/v1/runs/${id}/cancel`)));
    for (const id of [long, quick]) expect((await ended(it.aiki, id)).status).toBe("cancelled");
    await expect.poll(() => aborted, SOON).toContain(`${long} 0`);
    const after = executed.size;
    await delay(100);
    expect(executed.size).toBe(after);
  });

  it.each(["refuse", "forget"] as const)("completes when the way to the orchestrator breaks (%s)", async (how) => {
    const it = await world();
    it.front.breakAfter(10, how);
    const before = it.app.requests;
    const id = await startRun(it.aiki, "ticks", { count: 30, ms: 0 });
    expect(await ended(it.aiki, id)).toMatchObject({ status: "completed", output: sumOf(30) });
    expect(await recordedTicks(it, id)).toEqual({ count: 30, keys: 30 });
    // What was recorded without the app's knowing was not done again.
    expect([...executed.values()].every((times) => times === 1)).toBe(true);
    expect(it.app.requests - before).toBe(20);
    expect(logged[0]).toEqual([{ code: "ORCHESTRATOR_UNREACHABLE" }, expect.stringContaining(it.front.url)]);
  });

  it("writes its checkpoints to whichever orchestrator takes them", async () => {
    const it = await world();
    const other = await it.another();
    const before = it.app.requests;
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, i) => startRun(i % 2 ? it.aiki : other, "ticks", { count: 10, ms: 2 })),
    );
    for (const id of ids) {
      expect(await ended(it.aiki, id)).toMatchObject({ status: "completed", output: sumOf(10) });
      expect(await recordedTicks(it, id)).toEqual({ count: 10, keys: 10 });
    }
    expect(it.front.taken.reduce((sum, count) => sum + count)).toBe(20 * 9);
    for (const count of it.front.taken) expect(count).toBeGreaterThan(20);
    expect([it.app.requests - before, logged]).toEqual([20, []]);
    expect([...executed.values()].every((times) => times === 1)).toBe(true);
  });

  it("lets its orchestrator stop after the task under way, and goes on with the next one", async () => {
    const it = await world();
    const id = await startRun(it.aiki, "ticks", { count: 60, ms: 50 });
    await expect.poll(() => executed.size, SOON).toBeGreaterThan(2);
    const startedAt = performance.now();
    await it.aiki.server.close();
    expect(performance.now() - startedAt).toBeLessThan(GRACE_MS / 2);
    expect(executed.size).toBeLessThan(60);
    // It was told, and did not find out by itself.
    expect(logged).toEqual([]);
    const next = await it.another();
    expect(await ended(next, id)).toMatchObject({ status: "completed", output: sumOf(60) });
    expect(await recordedTicks(it, id)).toEqual({ count: 60, keys: 60 });
    expect([...executed.values()].every((times) => times === 1)).toBe(true);
  });

  it("is served to the end by an orchestrator that stops, as are workers' answers, and which refuses everything else meanwhile", async () => {
    const it = await world();
    const pulled = await pulledRun(it.aiki);
    const id = await startRun(it.aiki, "ticks", { count: 3, ms: 2_000 });
    await expect.poll(() => executed.size, SOON).toBe(1);
    let closed = false;
    const closing = it.aiki.server.close().then(() => {
      closed = true;
    });
    const statusOf = async (path: string) => (await it.aiki.call("GET", path)).status;
    expect([await statusOf("/health"), await statusOf("/ready")]).toEqual([200, 429]);
    const refused = await it.aiki.call("GET", `/v1/runs/${id}`);
    expect([refused.status, refused.json.error.code, refused.headers["retry-after"]]).toEqual([429, "OVERLOADED", "1"]);
    expect((await it.aiki.call("POST", "/v1/workers/poll", { body: pulled.poll })).status).toBe(429);
    const kept = await it.aiki.call("POST", "/v1/workers/extend", { body: { runs: [pulled.held] } });
    expect([kept.status, kept.text]).toEqual([200, '{"gone":[]}']);
    const brought = await it.aiki.call("POST", "/v1/workers/answer", { body: pulled.answer });
    expect([brought.status, brought.text]).toEqual([200, '{"outcome":"recorded"}']);
    expect(closed).toBe(false);
    await closing;
    expect([executed.size, it.front.taken, aborted]).toEqual([1, [1], []]);
  });
});

/** A run in the hands of a worker that is played by hand. */
async function pulledRun(aiki: Started) {
  const version = { workflow: "pulled", version: "1" };
  const worker = newId("worker");
  const poll = { worker, versions: [version], room: 1 };
  const polled = aiki.call("POST", "/v1/workers/poll", { body: poll });
  await startRun(aiki, "pulled", {});
  const { push } = workPollAnswerSchema.parse((await polled).json).pushes[0] as WorkPush;
  const { epoch, gen, seq } = push.fence;
  const held = { runId: push.run.id, pushId: push.pushId, epoch, gen };
  const commands = [{ type: "run.completed", output: "done" }];
  return { poll, held, answer: { type: "answer", worker, answer: { ...held, seq, state: "waiting", commands } } };
}
