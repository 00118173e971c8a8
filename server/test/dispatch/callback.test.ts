import type { Command, ExecuteAnswer, ExecuteRequest, HeldPush } from "@aikirun/protocol";
import { entryKey } from "@aikirun/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeliveryOutcome } from "../../src/dispatch/delivery.js";
import type { Dispatcher } from "../../src/dispatch/dispatcher.js";
import { answer, taskDone, Workbench } from "./workbench.js";

const DEADLINE_MS = 600_000;
const LEASE_MS = 30_000;

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
});

const heldOf = ({ run, pushId, fence: { epoch, gen } }: ExecuteRequest): HeldPush => ({
  runId: run.id,
  pushId,
  epoch,
  gen,
});

function promised(request: ExecuteRequest, deadlineMs = DEADLINE_MS): DeliveryOutcome {
  const { seq } = request.fence;
  return { type: "callback", promise: { ...heldOf(request), seq, callback: true, deadlineMs } };
}

/** The first push is answered with 202; later ones run to the end. */
async function inBackground(dispatcher: Dispatcher, promise = promised) {
  bench.endpoint = (request) =>
    bench.pushes.length > 1 ? answer(request, "waiting", [{ type: "run.completed" }]) : promise(request);
  const id = await bench.start(dispatcher, "hello", LEASE_MS);
  await bench.pass(10);
  const [push] = bench.pushes;
  if (!push) throw new Error("nothing was pushed");
  return { id, push };
}

function callback(
  dispatcher: Dispatcher,
  push: ExecuteRequest,
  commands: Command[],
  over: Partial<ExecuteAnswer> = {},
) {
  const brought = answer({ ...push, fence: { ...push.fence, ...over } }, over.state ?? "more", commands);
  return dispatcher.callback("default", heldOf(push), brought, undefined);
}

const checkpoint = (dispatcher: Dispatcher, push: ExecuteRequest, seq: number, commands: Command[]) =>
  dispatcher.checkpoint("default", { ...heldOf(push), seq, commands });

describe("a run whose endpoint goes on in the background", () => {
  it("is in nobody's memory, held until the deadline, and not pushed again for ordinary mail", async () => {
    const dispatcher = bench.dispatcher();
    const { id, push } = await inBackground(dispatcher);
    expect(dispatcher.held).toBe(0);
    expect(bench.row(id)).toMatchObject({ hold: "callback", gen: push.fence.gen });
    expect((bench.row(id).leaseUntil ?? 0) - bench.now).toBeGreaterThan(DEADLINE_MS - 100);
    await bench.send(id, { kind: "event", name: "word", data: 1 });
    await bench.send(id, { kind: "pause" });
    dispatcher.wake();
    await bench.pass(DEADLINE_MS / 2);
    expect([bench.pushes.length, (await bench.view(id)).status]).toEqual([1, "running"]);
  });

  it("goes on with the answer, whichever process it comes to, under a lease of that process's own", async () => {
    const { push, id } = await inBackground(bench.dispatcher());
    const other = bench.dispatcher();
    let answerNext = () => {};
    bench.endpoint = (request) =>
      new Promise((resolve) => {
        answerNext = () => resolve(answer(request, "waiting", [{ type: "run.completed", output: 1 }]));
      });
    expect(await callback(other, push, [taskDone(0)])).toBe("taken");
    expect(bench.row(id)).toMatchObject({ hold: null, gen: push.fence.gen + 1 });
    expect(bench.row(id).leaseUntil).toBeLessThanOrEqual(bench.now + LEASE_MS);
    await bench.pass(1);
    const { fence } = push;
    expect(bench.pushes[1]?.fence).toEqual({ ...fence, gen: fence.gen + 1, seq: fence.seq + 1 });
    // The same answer again, which a lost acknowledgement brings.
    expect(await callback(other, push, [taskDone(0)])).toBe("stale");
    answerNext();
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "completed", records: 2 });
    expect(await callback(other, push, [taskDone(0)])).toBe("stale");
  });

  it("parks, or ends, with the answer", async () => {
    const dispatcher = bench.dispatcher();
    const { push, id } = await inBackground(dispatcher);
    const wait: Command = { type: "event.wait", key: entryKey("event", "word", 0) };
    expect(await callback(dispatcher, push, [taskDone(0), wait], { state: "waiting" })).toBe("taken");
    expect(bench.row(id)).toMatchObject({ status: "suspended", leaseUntil: null, hold: null });
    expect(await callback(dispatcher, push, [taskDone(0), wait], { state: "waiting" })).toBe("stale");
    await bench.send(id, { kind: "event", name: "word", data: 1 });
    dispatcher.wake();
    await bench.pass(10);
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("keeps to the time limit that comes with the answer, where nobody here knows the version", async () => {
    const { push, id } = await inBackground(bench.dispatcher());
    const brought = answer(push, "waiting", [{ type: "event.wait", key: entryKey("event", "word", 0) }]);
    expect(await bench.dispatcher().callback("default", heldOf(push), brought, 5_000)).toBe("taken");
    expect(bench.row(id)).toMatchObject({ status: "suspended", dueAt: bench.row(id).facts.timedFrom + 5_000 });
    await bench.pass(6_000);
    expect((await bench.view(id)).status).toBe("failed");
  });

  it("records checkpoints meanwhile, which leave the deadline where it is and bring news", async () => {
    const { push, id } = await inBackground(bench.dispatcher());
    const leaseUntil = bench.row(id).leaseUntil;
    const other = bench.dispatcher();
    await bench.send(id, { kind: "event", name: "word", data: 7 });
    const wait: Command = { type: "event.wait", key: entryKey("event", "word", 0) };
    const recorded = await checkpoint(other, push, push.fence.seq, [taskDone(0), wait]);
    expect(recorded).toMatchObject({ type: "recorded", records: [{ kind: "event" }, { value: { data: 7 } }] });
    expect(bench.row(id)).toMatchObject({ leaseUntil, hold: "callback" });
    const seq = recorded.type === "recorded" ? recorded.seq : 0;
    expect(await callback(other, push, [taskDone(1), { type: "run.completed" }], { seq, state: "waiting" })).toBe(
      "taken",
    );
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("has a checkpoint recorded that arrives while the 202 is being written, and is told to wait with its answer", async () => {
    const dispatcher = bench.dispatcher();
    const other = bench.dispatcher();
    const early: unknown[] = [];
    bench.endpoint = (request) => {
      // Before it has been told that the answer comes later.
      void callback(other, request, [taskDone(0)]).then((outcome) => early.push(outcome));
      return promised(request);
    };
    await bench.start(dispatcher, "hello", LEASE_MS);
    await bench.pass(10);
    expect(early.splice(0)).toEqual(["early"]);
    bench.pushes.length = 0;
    bench.afterStatement = (verb) => {
      const [push] = bench.pushes;
      if (verb !== "holdForCallback" || !push) return;
      bench.afterStatement = undefined;
      void checkpoint(dispatcher, push, push.fence.seq, [taskDone(0)]).then((outcome) => early.push(outcome.type));
      void callback(dispatcher, push, [taskDone(0)]).then((outcome) => early.push(outcome));
    };
    const { push, id } = await inBackground(dispatcher);
    expect(early.sort()).toEqual(["early", "recorded"]);
    expect(bench.row(id)).toMatchObject({ hold: "callback" });
    expect((bench.row(id).leaseUntil ?? 0) - bench.now).toBeGreaterThan(DEADLINE_MS - 100);
    const end: Command[] = [{ type: "run.completed" }];
    expect(await callback(dispatcher, push, end, { seq: push.fence.seq + 1, state: "waiting" })).toBe("taken");
  });

  it("is cancelled at once, and its answer is not wanted any more", async () => {
    const dispatcher = bench.dispatcher();
    const { push, id } = await inBackground(dispatcher);
    expect(await dispatcher.isWanted("default", heldOf(push))).toBe(true);
    await bench.send(id, { kind: "cancel", reason: "no" });
    dispatcher.cancelSent("default", id);
    await bench.pass(1_000);
    expect(await bench.view(id)).toMatchObject({ status: "cancelled" });
    expect(await dispatcher.isWanted("default", heldOf(push))).toBe(false);
    expect(await checkpoint(dispatcher, push, push.fence.seq, [taskDone(0)])).toEqual({ type: "stale" });
    expect(await callback(dispatcher, push, [taskDone(0)])).toBe("stale");
    expect(await bench.view(id)).toMatchObject({ status: "cancelled", records: 1 });
  });

  it("is pushed again under another generation when the deadline passes, and no attempt is used up", async () => {
    const dispatcher = bench.dispatcher();
    const { push, id } = await inBackground(dispatcher);
    await bench.pass(DEADLINE_MS - 1_000);
    expect(bench.pushes).toHaveLength(1);
    await bench.pass(4_000);
    expect(bench.pushes[1]).toMatchObject({ fence: { gen: push.fence.gen + 1 }, history: { records: [] } });
    expect((await bench.view(id)).status).toBe("completed");
    expect(await callback(dispatcher, push, [taskDone(0)])).toBe("stale");
    expect(await bench.view(id)).toMatchObject({ status: "completed", records: 1 });
  });

  it("ends with its own time limit, before the deadline", async () => {
    bench.timeoutOf = () => 5_000;
    const dispatcher = bench.dispatcher();
    const { push, id } = await inBackground(dispatcher);
    // A checkpoint in the last moment does not carry it beyond.
    await bench.pass(4_900);
    expect(await checkpoint(bench.dispatcher(), push, push.fence.seq, [taskDone(0)])).toMatchObject({
      type: "recorded",
    });
    await bench.pass(3_000);
    expect(await bench.view(id)).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
    expect(bench.pushes).toHaveLength(1);
  });

  it("goes on with the task's result when the orchestrator is stopped, and stops no invocation", async () => {
    const dispatcher = bench.dispatcher();
    const { push, id } = await inBackground(dispatcher);
    await dispatcher.stop(1_000);
    const recorded = await checkpoint(dispatcher, push, push.fence.seq, [taskDone(0)]);
    expect(recorded).toMatchObject({ type: "recorded", records: [] });
    expect(recorded).not.toHaveProperty("stop");
    expect(bench.row(id).hold).toBe("callback");
  });

  it("is pushed again when what it brings is a failure, and stalls when the code has changed", async () => {
    const dispatcher = bench.dispatcher();
    const { push, id } = await inBackground(dispatcher);
    const failed: DeliveryOutcome = { type: "failed", code: "ENDPOINT_ERROR", message: "no", reach: "lost" };
    const brought = dispatcher.callback("default", heldOf(push), failed, undefined);
    await bench.pass(1_000);
    expect(await brought).toBe("taken");
    expect(bench.pushes[1]?.fence.gen).toBe(push.fence.gen + 1);
    expect((await bench.view(id)).status).toBe("completed");

    bench.pushes.length = 0;
    const changed = await inBackground(dispatcher);
    const divergence = { leftover: ["a"], asked: ["b"] };
    const diverged: DeliveryOutcome = { type: "diverged", divergence, message: "changed" };
    expect(await dispatcher.callback("default", heldOf(changed.push), diverged, undefined)).toBe("taken");
    expect((await bench.view(changed.id)).status).toBe("stalled");
  });

  it("is pushed again at once when the 202 is for another push", async () => {
    const dispatcher = bench.dispatcher();
    const { id } = await inBackground(dispatcher, (request) => {
      const { fence } = request;
      return promised({ ...request, fence: { ...fence, gen: fence.gen + 1 } });
    });
    await bench.pass(500);
    expect(bench.pushes).toHaveLength(2);
    expect((await bench.view(id)).status).toBe("completed");
  });
});
