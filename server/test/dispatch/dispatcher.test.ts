import { entryKey } from "@aikirun/protocol";
import { beforeEach, expect, it } from "vitest";
import { answer, ROUTE, sequential, taskDone, Workbench } from "./workbench.js";

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
});

it("keeps the lease of a long push and loses none to other replicas", async () => {
  const first = bench.dispatcher({ leaseMs: 3_000 });
  const second = bench.dispatcher({ leaseMs: 3_000 });
  bench.endpoint = async (request, signal) => {
    await bench.sleep(20_000);
    return sequential(1)(request, signal);
  };
  const id = await bench.start(first, "hello", 3_000);
  await bench.pass(20_100);
  expect((await bench.view(id)).status).toBe("completed");
  expect(bench.pushes).toHaveLength(1);
  expect(second.held).toBe(0);
});

it("takes over what a dead process held, after its lease, under a new generation", async () => {
  const id = await bench.start("dead", "hello", 5_000);
  bench.dispatcher();
  bench.endpoint = sequential(1);
  await bench.pass(4_900);
  expect(bench.pushes).toHaveLength(0);
  await bench.pass(6_000);
  expect((await bench.view(id)).status).toBe("completed");
  expect(bench.pushes.map((push) => push.fence.gen)).toEqual([2]);
});

it("shares runs between replicas and pushes each step once", async () => {
  bench.endpoint = async (request, signal) => {
    await bench.sleep(5);
    return sequential(3)(request, signal);
  };
  const ids = [];
  for (let i = 0; i < 40; i++) ids.push(await bench.start());
  bench.dispatcher({ claimBatch: 10 });
  bench.dispatcher({ claimBatch: 10 });
  await bench.pass(2_000);
  for (const id of ids) expect((await bench.view(id)).status).toBe("completed");
  expect(bench.pushes).toHaveLength(120);
});

it("survives ten seconds without a database and goes on afterwards", async () => {
  const dispatcher = bench.dispatcher();
  bench.endpoint = async (request, signal) => {
    await bench.sleep(100);
    return sequential(20)(request, signal);
  };
  const ids = [await bench.start(dispatcher), await bench.start(dispatcher)];
  await bench.pass(1_000);
  bench.storeAway = true;
  await bench.pass(10_000);
  bench.storeAway = false;
  await bench.pass(4_000);
  for (const id of ids) expect(await bench.view(id)).toMatchObject({ status: "completed", records: 21 });
  expect(bench.errors).toEqual([]);
  const perRun = ids.map((id) => bench.pushes.filter((push) => push.run.id === id).length);
  expect(perRun).toEqual([20, 20]);
});

it("lets pushes end and then goes, leaving the run for another replica", async () => {
  const first = bench.dispatcher();
  bench.endpoint = async (request, signal) => {
    await bench.sleep(100);
    return sequential(3)(request, signal);
  };
  const id = await bench.start(first);
  await bench.pass(10);
  const stopped = first.stop(5_000);
  await bench.pass(200);
  await stopped;
  expect(bench.row(id)).toMatchObject({ leaseUntil: null, status: "queued" });
  expect(bench.row(id).records).toHaveLength(1);
  bench.dispatcher();
  await bench.pass(400);
  expect((await bench.view(id)).status).toBe("completed");
  expect(bench.pushes.map((push) => push.fence.gen)).toEqual([1, 2, 2]);
});

it("gives up a push that does not end in time, and its lease with it", async () => {
  const dispatcher = bench.dispatcher();
  bench.endpoint = () => new Promise(() => {});
  const id = await bench.start(dispatcher);
  await bench.pass(10);
  const stopped = dispatcher.stop(1_000);
  await bench.pass(1_100);
  await stopped;
  expect(bench.row(id).leaseUntil).toBeNull();
  expect(dispatcher.held).toBe(0);
});

it("goes on with other endpoints while one is slow", async () => {
  const slow = { ...ROUTE, endpointId: "ep_slow", concurrency: 2 };
  bench.routeOf = (workflow) => (workflow === "slow" ? slow : ROUTE);
  bench.endpoint = (request) =>
    request.run.workflow === "slow"
      ? new Promise(() => {})
      : answer(request, "waiting", [taskDone(0), { type: "run.completed" }]);
  for (let i = 0; i < 30; i++) await bench.start(undefined, "slow");
  const quick = [];
  for (let i = 0; i < 20; i++) quick.push(await bench.start());
  const dispatcher = bench.dispatcher({ maxHeld: 8, maxWaiting: 10 });
  await bench.pass(10_000);
  for (const id of quick) expect((await bench.view(id)).status).toBe("completed");
  expect(dispatcher.held).toBe(12);
  expect(dispatcher.hasRoom()).toBe(true);
});

it("does not ask an idle store more than a few times a second", async () => {
  bench.dispatcher();
  await bench.pass(60_000);
  bench.statements.length = 0;
  await bench.pass(60_000);
  expect(bench.statements.length).toBeLessThan(150);
});

it("is nearly punctual with timers that another process armed", async () => {
  const late: number[] = [];
  bench.endpoint = (request) => {
    const { n } = request.history.head;
    const sleep = { type: "sleep", key: entryKey("sleep", "s", 0), durationMs: 60_000 } as const;
    if (n === 0) return answer(request, "waiting", [sleep]);
    const due = request.history.records.find((record) => record.value.state === "sleeping")?.value;
    late.push(bench.now - (due && "wakeAt" in due ? due.wakeAt : 0));
    return answer(request, "waiting", [{ type: "run.completed" }]);
  };
  const first = bench.dispatcher();
  for (let i = 0; i < 20; i++) {
    await bench.start(first);
    await bench.pass(200);
  }
  const stopped = first.stop(1_000);
  await bench.pass(1);
  await stopped;
  bench.dispatcher();
  await bench.pass(80_000);
  expect(late).toHaveLength(20);
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...late)).toBeLessThan(100);
});

it("tells who waits for a run of every change", async () => {
  const dispatcher = bench.dispatcher();
  bench.endpoint = sequential(3);
  let changes = 0;
  const id = await bench.start();
  const unsubscribe = dispatcher.hub.subscribe("default", id, () => changes++);
  dispatcher.wake();
  await bench.pass(10);
  expect(changes).toBe(3);
  unsubscribe();
});
