/** The wire of pull workers, by hand: what no well-behaved worker would send, and what it may rely on. */
import { request } from "node:http";
import { newId, type WorkPush, workPollAnswerSchema } from "@aikirun/protocol";
import { describe, expect, it, onTestFinished } from "vitest";
import { ADMIN_KEY, type Started, start } from "./server.js";

const VERSION = { workflow: "hello", version: "1.0.0" };
const SOON = { timeout: 20_000 };
/** As if an orchestrator held leases for long: whatever is found sooner was given back. */
const settings = { AIKI_LEASE_MS: 60_000 };

const startRun = async ({ call }: Started, more: object = {}) => {
  const id = newId("run");
  const body = { id, ...VERSION, input: { name: "Ada" }, ...more };
  expect((await call("POST", "/v1/runs", { body })).status).toBe(201);
  return id;
};

const poll = async (aiki: Started, more: object = {}): Promise<readonly WorkPush[]> => {
  const body = { worker: newId("worker"), versions: [VERSION], room: 5, waitMs: 5_000, ...more };
  const { status, json } = await aiki.call("POST", "/v1/workers/poll", { body });
  expect(status).toBe(200);
  return workPollAnswerSchema.parse(json).pushes;
};

const one = async (aiki: Started, more: object = {}): Promise<WorkPush> => {
  const [push, ...others] = await poll(aiki, more);
  if (!push || others.length > 0) throw new Error(`${others.length + (push ? 1 : 0)} pushes`);
  return push;
};

const held = ({ push: { run, pushId, fence } }: WorkPush) => ({
  runId: run.id,
  pushId,
  epoch: fence.epoch,
  gen: fence.gen,
});

const bring = async (aiki: Started, given: WorkPush, output: string, more: object = {}) => {
  const { push } = given;
  const answer = {
    ...held(given),
    seq: push.fence.seq,
    state: "waiting",
    commands: [{ type: "run.completed", output }],
  };
  const body = { type: "answer", worker: newId("worker"), answer, ...more };
  return aiki.call("POST", "/v1/workers/answer", { body });
};

describe("a poll", () => {
  it("is given a run that is there, and one that comes, at once", async () => {
    const aiki = await start("dev");
    const id = await startRun(aiki);
    await expect.poll(async () => (await aiki.call("GET", `/v1/runs/${id}`)).json.trouble?.code, SOON).toBeDefined();
    const first = await one(aiki);
    expect(first).toMatchObject({ push: { type: "execute", run: { id }, history: { records: [] } }, leaseMs: 30_000 });
    const waiting = one(aiki);
    const later = await startRun(aiki);
    expect((await waiting).push.run.id).toBe(later);
  });

  it("ends without a run when its time is up, and when the server stops", async () => {
    const aiki = await start("dev");
    expect(await poll(aiki, { waitMs: 50 })).toEqual([]);
    const waiting = poll(aiki, { waitMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await aiki.server.close();
    expect(await waiting).toEqual([]);
  });

  it("is given no more runs than it has room for, and others go to the next", async () => {
    const aiki = await start("dev");
    const waiting = [poll(aiki, { room: 1 }), poll(aiki, { room: 1 })];
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ids = [await startRun(aiki), await startRun(aiki)];
    const given = (await Promise.all(waiting)).flat();
    expect(given.map(({ push }) => push.run.id)).toEqual(ids);
  });

  it("is given at most ten runs in one reply, and asks again for the rest", async () => {
    const aiki = await start("dev");
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(await startRun(aiki));
    const status = async (id: string) => (await aiki.call("GET", `/v1/runs/${id}`)).json.status;
    for (const id of ids) await expect.poll(() => status(id), SOON).toBe("queued");
    const [first, second] = [await poll(aiki, { room: 100 }), await poll(aiki, { room: 100 })];
    expect([first.length, second.length]).toEqual([10, 2]);
    expect(new Set([...first, ...second].map(({ push }) => push.run.id))).toEqual(new Set(ids));
  });

  it("makes its worker one that serves its versions, until it says that it stops", async () => {
    const aiki = await start("dev");
    const worker = newId("worker");
    const listed = async () => (await aiki.call("GET", "/v1/workflows")).json.workflows;
    await poll(aiki, { worker, pools: ["gpu"], waitMs: 0 });
    await poll(aiki, { waitMs: 0 });
    expect(await listed()).toEqual([{ name: "hello", version: "1.0.0", workers: 2, events: [], live: 0, waiting: 0 }]);
    await poll(aiki, { worker, room: 0 });
    expect(await listed()).toMatchObject([{ workers: 1 }]);
  });

  it("that asks for room for none ends the polls of its worker, and only those", async () => {
    const aiki = await start("dev");
    const worker = newId("worker");
    const waiting = poll(aiki, { worker, waitMs: 20_000 });
    const other = poll(aiki, { waitMs: 2_000 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await poll(aiki, { worker, room: 0 })).toEqual([]);
    expect(await waiting).toEqual([]);
    const id = await startRun(aiki);
    expect((await other).map(({ push }) => push.run.id)).toEqual([id]);
  });

  it("whose client has gone is given nothing", async () => {
    const aiki = await start("dev", { settings });
    const goesAway = pollAndLeave(aiki);
    await goesAway.sent;
    goesAway.leave();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const waiting = one(aiki);
    const id = await startRun(aiki);
    expect((await waiting).push.run.id).toBe(id);
  });

  it("whose client goes away in the middle of the reply gives back what it was given", async () => {
    const aiki = await start("dev", { settings });
    // More than the sockets in between hold, so that the reply waits for its reader.
    const input = { text: "x".repeat(2_000_000) };
    const ids: string[] = [];
    for (let i = 0; i < 10; i++) ids.push(await startRun(aiki, { input }));
    const status = async (id: string) => (await aiki.call("GET", `/v1/runs/${id}`)).json.status;
    for (const id of ids) await expect.poll(() => status(id), SOON).toBe("queued");
    const goesAway = pollAndLeave(aiki);
    await goesAway.answered;
    for (const id of ids) expect(await status(id)).toBe("running");
    goesAway.leave();
    const given = new Set<string>();
    while (given.size < ids.length) for (const { push } of await poll(aiki)) given.add(push.run.id);
    expect([...given].sort()).toEqual(ids.sort());
  });

  it("keeps the runs of pools for their workers", async () => {
    const aiki = await start("dev");
    const gpu = await startRun(aiki, { pool: "gpu" });
    const plain = await startRun(aiki);
    await expect
      .poll(async () => (await aiki.call("GET", `/v1/runs/${gpu}`)).json.trouble?.message, SOON)
      .toBeDefined();
    expect((await one(aiki)).push.run.id).toBe(plain);
    expect(await poll(aiki, { pools: ["tpu"], waitMs: 50 })).toEqual([]);
    expect((await one(aiki, { pools: ["tpu", "gpu"] })).push.run).toMatchObject({ id: gpu, options: { pool: "gpu" } });
  });

  it("of a worker with pools gets a run without one only when no other waits", async () => {
    const aiki = await start("dev");
    const special = poll(aiki, { pools: ["gpu"] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const plain = poll(aiki);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ids = [await startRun(aiki), await startRun(aiki)];
    expect((await plain).map(({ push }) => push.run.id)).toEqual([ids[0]]);
    expect((await special).map(({ push }) => push.run.id)).toEqual([ids[1]]);
  });

  it("of another namespace sees nothing", async () => {
    const aiki = await start("start");
    const { json } = await aiki.call("POST", "/v1/keys", { body: { scope: "write", namespace: "elsewhere" } });
    const id = await startRun(aiki);
    const body = { worker: newId("worker"), versions: [VERSION], room: 5, waitMs: 300 };
    const elsewhere = await aiki.call("POST", "/v1/workers/poll", { key: json.secret, body });
    expect(elsewhere.json).toEqual({ pushes: [] });
    const given = await one(aiki);
    expect(given.push.run.id).toBe(id);
    const answer = { ...held(given), seq: 0, state: "waiting", commands: [{ type: "run.completed" }] };
    const stolen = { type: "answer", worker: newId("worker"), answer };
    const refused = await aiki.call("POST", "/v1/workers/answer", { key: json.secret, body: stolen });
    expect(refused.json).toEqual({ outcome: "stale" });
    const extended = await aiki.call("POST", "/v1/workers/extend", { key: json.secret, body: { runs: [held(given)] } });
    expect(extended.json).toEqual({ gone: [{ pushId: given.push.pushId, why: "lost" }] });
    expect((await bring(aiki, given, "done")).json).toEqual({ outcome: "recorded" });
  });
});

describe("an answer", () => {
  it("is recorded once; the same again is stale", async () => {
    const aiki = await start("dev");
    const waiting = one(aiki);
    const id = await startRun(aiki);
    const given = await waiting;
    expect((await bring(aiki, given, "first")).json).toEqual({ outcome: "recorded" });
    expect((await bring(aiki, given, "second")).json).toEqual({ outcome: "stale" });
    expect((await aiki.call("GET", `/v1/runs/${id}`)).json).toMatchObject({ status: "completed", output: "first" });
  });

  it("carries the next push when the run goes on, under the same lease", async () => {
    const aiki = await start("dev");
    const waiting = one(aiki);
    const id = await startRun(aiki);
    const given = await waiting;
    const task = { type: "task.completed", key: `task:a:${"0".repeat(64)}#0`, taskAttempt: 1 };
    const answer = { ...held(given), seq: 0, state: "more", commands: [task] };
    const body = { type: "answer", worker: newId("worker"), answer };
    const { json } = await aiki.call("POST", "/v1/workers/answer", { body });
    expect(json).toMatchObject({ outcome: "recorded", next: { push: { run: { id }, fence: { gen: 1, seq: 1 } } } });
  });

  it("that cannot be applied is a failed delivery, and the run goes on", async () => {
    const aiki = await start("dev");
    const waiting = one(aiki);
    const id = await startRun(aiki);
    const given = await waiting;
    const answer = { ...held(given), seq: 0, state: "more", commands: [] };
    const { json } = await aiki.call("POST", "/v1/workers/answer", {
      body: { type: "answer", worker: newId("worker"), answer },
    });
    expect(json).toMatchObject({ next: { push: { run: { id }, fence: { gen: 2, seq: 0 } } } });
    expect((await bring(aiki, given, "late")).json).toEqual({ outcome: "stale" });
  });

  it("gives a run back, which goes to the next poll without waiting for the lease", async () => {
    const aiki = await start("dev", { settings });
    const waiting = one(aiki);
    const id = await startRun(aiki);
    const given = await waiting;
    const body = { type: "release", worker: newId("worker"), push: held(given) };
    expect((await aiki.call("POST", "/v1/workers/answer", { body })).json).toEqual({ outcome: "recorded" });
    const again = (await one(aiki)).push;
    expect(again.run.id).toBe(id);
    expect(again.fence.gen).toBeGreaterThan(1);
  });

  it("says what is wrong with one that is none", async () => {
    const aiki = await start("dev");
    const body = { type: "answer", worker: newId("worker"), answer: { runId: newId("run") } };
    const { status, json } = await aiki.call("POST", "/v1/workers/answer", { body });
    expect([status, json.error.message]).toEqual([400, expect.stringMatching(/^body: answer\.pushId: /)]);
  });

  it("stalls a run that no longer fits, with what differs", async () => {
    const aiki = await start("dev");
    const waiting = one(aiki);
    const id = await startRun(aiki);
    const given = await waiting;
    const divergence = { leftover: ["task:old#0"], asked: ["task:new#0"] };
    const error = { code: "NON_DETERMINISM", message: "no longer fits", divergence };
    const body = { type: "error", worker: newId("worker"), push: held(given), error };
    expect((await aiki.call("POST", "/v1/workers/answer", { body })).json).toEqual({ outcome: "recorded" });
    expect((await aiki.call("GET", `/v1/runs/${id}`)).json).toMatchObject({
      status: "stalled",
      trouble: { code: "NON_DETERMINISM", divergence },
    });
  });
});

describe("a run that is cancelled in a worker's hands", () => {
  it("has ended at once, and the next extension says so", async () => {
    const aiki = await start("dev", { settings });
    const waiting = one(aiki);
    const id = await startRun(aiki);
    const given = await waiting;
    expect((await extend(aiki, given)).gone).toEqual([]);
    await aiki.call("POST", `/v1/runs/${id}/cancel`, { body: {} });
    await expect.poll(async () => (await aiki.call("GET", `/v1/runs/${id}`)).json.status, SOON).toBe("cancelled");
    expect((await extend(aiki, given)).gone).toEqual([{ pushId: given.push.pushId, why: "lost" }]);
    expect((await bring(aiki, given, "late")).json).toEqual({ outcome: "stale" });
  });

  it("ends a waiting poll of its worker with the news", async () => {
    const aiki = await start("dev", { settings });
    const worker = newId("worker");
    const waiting = one(aiki, { worker });
    const id = await startRun(aiki);
    const given = await waiting;
    const body = { worker, versions: [VERSION], room: 4, waitMs: 20_000 };
    const idle = aiki.call("POST", "/v1/workers/poll", { body });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await aiki.call("POST", `/v1/runs/${id}/cancel`, { body: {} });
    expect((await idle).json).toEqual({ pushes: [], gone: [{ pushId: given.push.pushId, why: "cancelled" }] });
    await expect.poll(async () => (await aiki.call("GET", `/v1/runs/${id}`)).json.status, SOON).toBe("cancelled");
  });
});

describe("what a worker is refused", () => {
  const good = { worker: newId("worker"), versions: [VERSION], room: 1, waitMs: 0 };
  it.each([
    ["room for more than a worker may have", { ...good, room: 1_001 }],
    ["a longer poll", { ...good, waitMs: 20_001 }],
    ["no version", { ...good, versions: [] }],
    ["too many pools", { ...good, pools: Array.from({ length: 21 }, (_, i) => `p${i}`) }],
    ["a worker without an id of ours", { ...good, worker: "me" }],
    ["a field that is unknown", { ...good, more: 1 }],
  ])("%s", async (_what, body) => {
    const aiki = await start("dev");
    const { status, json } = await aiki.call("POST", "/v1/workers/poll", { body });
    expect([status, json.error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  it("polls with a key that may only read", async () => {
    const aiki = await start("start");
    const { json } = await aiki.call("POST", "/v1/keys", { body: { scope: "read" }, key: ADMIN_KEY });
    const refused = await aiki.call("POST", "/v1/workers/poll", { body: good, key: json.secret });
    expect([refused.status, refused.json.error.code]).toEqual([403, "FORBIDDEN"]);
  });
});

async function extend(aiki: Started, given: WorkPush): Promise<{ gone: unknown }> {
  const { json } = await aiki.call("POST", "/v1/workers/extend", { body: { runs: [held(given)] } });
  return json as unknown as { gone: unknown };
}

/** A client that closes its connection while it waits. */
function pollAndLeave({ server }: Started) {
  const body = JSON.stringify({ worker: newId("worker"), versions: [VERSION], room: 20 });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const options = { host: "127.0.0.1", port: server.port, method: "POST", path: "/v1/workers/poll", headers };
  const outgoing = request({ ...options, agent: false });
  outgoing.on("error", () => {});
  onTestFinished(() => void outgoing.destroy());
  const answered = new Promise<void>((resolve) => {
    // Whose body nobody reads.
    outgoing.on("response", (incoming) => {
      incoming.on("error", () => {});
      incoming.pause();
      resolve();
    });
  });
  outgoing.end(body);
  return {
    answered,
    sent: new Promise<void>((resolve) => setTimeout(resolve, 100)),
    leave: () => outgoing.destroy(),
  };
}
