import { type Command, type ExecuteRequest, entryKey } from "@aikirun/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeliveryOutcome } from "../../src/dispatch/delivery.js";
import { answer, ROUTE, taskDone, Workbench } from "./workbench.js";

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
});

const LEASE_MS = 30_000;
const wait: Command = { type: "event.wait", key: entryKey("event", "go", 0) };

/** An endpoint whose task takes a while, and which then waits for an event. */
const slow = async (request: ExecuteRequest): Promise<DeliveryOutcome> => {
  if (request.history.head.n > 0) return answer(request, "waiting", [{ type: "run.completed" }]);
  await bench.sleep(1_000);
  return answer(request, "more", [taskDone(0)]);
};

describe("a pause", () => {
  it("lets the task that runs end, keeps its result, and pushes no further until the run is resumed", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = slow;
    const id = await bench.start(dispatcher);
    await bench.pass(100);
    await bench.send(id, { kind: "pause" });
    dispatcher.wake();
    await bench.pass(500);
    expect((await bench.view(id)).status).toBe("running");
    await bench.pass(100_000);
    expect(await bench.view(id)).toMatchObject({ status: "paused", records: 1 });
    expect(bench.row(id)).toMatchObject({ dueAt: null, leaseUntil: null });
    expect(bench.pushes).toHaveLength(1);
    await bench.send(id, { kind: "resume" });
    dispatcher.wake();
    await bench.pass(10);
    expect((await bench.view(id)).status).toBe("completed");
    expect(bench.pushes).toHaveLength(2);
  });

  it("that comes with the last answer changes nothing: the run completes", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = async (request) => {
      await bench.sleep(10);
      return answer(request, "waiting", [{ type: "run.completed", output: 1 }]);
    };
    const id = await bench.start(dispatcher);
    await bench.pass(9);
    await bench.send(id, { kind: "pause" });
    await bench.pass(100);
    expect(await bench.view(id)).toMatchObject({ status: "completed", output: 1 });
    expect(await bench.send(id, { kind: "resume" })).toEqual({ type: "ended", status: "completed" });
  });

  it("holds a run that waits for an endpoint, also when one comes", async () => {
    const dispatcher = bench.dispatcher();
    bench.routeOf = () => undefined;
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "pause" });
    dispatcher.wake();
    await bench.pass(10);
    expect(await bench.store.wakeUnserved("default", [{ workflow: "hello", version: "1.0.0" }])).toBe(0);
    await bench.pass(100_000);
    expect((await bench.view(id)).status).toBe("paused");
    expect(bench.pushes).toHaveLength(0);
  });
});

describe("a run that is to start later", () => {
  const later = async () => {
    const id = await bench.start(undefined, "hello", LEASE_MS, { delayMs: 60_000 });
    bench.endpoint = (request) => {
      const hasWaited = request.history.records.some(({ kind }) => kind === "event");
      return answer(request, "waiting", [hasWaited ? { type: "run.completed" } : wait]);
    };
    return id;
  };

  it("keeps its time when events are sent to it, and has them when it starts", async () => {
    const dispatcher = bench.dispatcher();
    const id = await later();
    for (let i = 0; i < 3; i++) {
      await bench.pass(10_000);
      await bench.send(id, { kind: "event", name: "go", data: i });
      dispatcher.wake();
    }
    await bench.pass(29_900);
    expect(await bench.view(id)).toMatchObject({ status: "scheduled", nextAt: bench.row(id).facts.createdAt + 60_000 });
    expect(bench.pushes).toHaveLength(0);
    await bench.pass(3_000);
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("starts when it is woken", async () => {
    const dispatcher = bench.dispatcher();
    const id = await later();
    await bench.send(id, { kind: "wakeup" });
    dispatcher.wake();
    await bench.pass(10);
    expect(bench.pushes).toHaveLength(1);
    expect((await bench.view(id)).status).toBe("suspended");
  });

  it("is still to start when it was paused and resumed, and makes up for a time that has passed", async () => {
    const dispatcher = bench.dispatcher();
    const id = await later();
    const send = async (kind: "pause" | "resume") => {
      await bench.send(id, { kind });
      dispatcher.wake();
      await bench.pass(10);
    };
    await send("pause");
    expect((await bench.view(id)).status).toBe("paused");
    await send("resume");
    expect((await bench.view(id)).status).toBe("scheduled");
    await send("pause");
    await bench.pass(100_000);
    expect(bench.pushes).toHaveLength(0);
    await send("resume");
    expect(bench.pushes).toHaveLength(1);
  });
});

describe("a cancel", () => {
  const parentOf = (children: number) => (request: ExecuteRequest) => {
    if (request.run.workflow !== "hello") return new Promise<DeliveryOutcome>(() => {});
    const starts = Array.from({ length: children }, (_, i): Command => {
      return { type: "child.start", key: entryKey("child", `kid:1.0.0:${i}`, 0), workflow: "kid", version: "1.0.0" };
    });
    return answer(request, "waiting", request.history.head.n === 0 ? [...starts, wait] : []);
  };
  const statuses = (parent: string) =>
    [...bench.runs.rows.values()].filter(({ facts }) => facts.parent?.id === parent).map(({ status }) => status);

  it("of a parent with 1,000 children tells 500 of them at a time, and ends with the last", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = parentOf(1_000);
    bench.routeOf = (workflow) => (workflow === "hello" ? ROUTE : undefined);
    const id = await bench.start(dispatcher);
    await bench.pass(5_000);
    expect(statuses(id)).toHaveLength(1_000);
    const seq = bench.row(id).seq;
    await bench.send(id, { kind: "cancel", reason: "enough" });
    dispatcher.wake();
    await bench.pass(5_000);
    expect(await bench.view(id)).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(bench.row(id).seq).toBe(seq + 2);
    expect(new Set(statuses(id))).toEqual(new Set(["cancelled"]));
    expect(bench.row(id).records.filter(({ kind }) => kind === "run")).toHaveLength(1);
  });

  it("goes on with the children that are left when the process dies in between", async () => {
    const first = bench.dispatcher({ leaseMs: 1_000, maxTold: 2 });
    bench.endpoint = parentOf(7);
    const id = await bench.start(first, "hello", 1_000);
    await bench.pass(100);
    await bench.send(id, { kind: "cancel", reason: undefined });
    first.wake();
    bench.afterStatement = (verb) => {
      if (verb === "commit") bench.storeAway = true;
    };
    await bench.pass(10_000);
    expect((await bench.view(id)).status).toBe("running");
    bench.afterStatement = undefined;
    bench.storeAway = false;
    bench.dispatcher({ leaseMs: 1_000, maxTold: 2 });
    await bench.pass(10_000);
    expect((await bench.view(id)).status).toBe("cancelled");
    expect(new Set(statuses(id))).toEqual(new Set(["cancelled"]));
  });

  it("aborts the pushes of the children that are under way here, at once", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = parentOf(3);
    const id = await bench.start(dispatcher);
    await bench.pass(100);
    expect(bench.pushes).toHaveLength(4);
    await bench.send(id, { kind: "cancel", reason: undefined });
    dispatcher.wake();
    await bench.pass(100);
    expect(statuses(id)).toEqual(["cancelled", "cancelled", "cancelled"]);
  });

  it("a hundred times is one cancel", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = slow;
    const id = await bench.start(dispatcher);
    await bench.pass(100);
    for (let i = 0; i < 100; i++) await bench.send(id, { kind: "cancel", reason: `number ${i}` });
    dispatcher.cancelSent("default", id);
    await bench.pass(100);
    expect(await bench.view(id)).toMatchObject({ status: "cancelled", reason: "number 0", records: 1 });
  });

  it("ends a run whose endpoint is gone, without a push", async () => {
    const dispatcher = bench.dispatcher();
    bench.routeOf = () => undefined;
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "cancel", reason: undefined });
    dispatcher.wake();
    await bench.pass(10);
    expect((await bench.view(id)).status).toBe("cancelled");
    expect(bench.pushes).toHaveLength(0);
  });
});
