import type { CheckpointBody, Command, ExecuteRequest } from "@aikirun/protocol";
import { entryKey } from "@aikirun/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeliveryOutcome } from "../../src/dispatch/delivery.js";
import type { Dispatcher } from "../../src/dispatch/dispatcher.js";
import { answer, taskDone, Workbench } from "./workbench.js";

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
});

const WAIT: Command = { type: "event.wait", key: entryKey("event", "word", 0) };

/** What an invocation sends while it goes on. */
function checkpoint(dispatcher: Dispatcher, { run, pushId, fence }: ExecuteRequest, seq: number, commands: Command[]) {
  const body: CheckpointBody = { runId: run.id, pushId, ...fence, seq, commands };
  return dispatcher.checkpoint("default", body);
}

/** The first push ends when the test says so; later ones run to the end. */
function underWay() {
  let end: (outcome: DeliveryOutcome) => void = () => {};
  let aborted = false;
  bench.endpoint = (request, signal) => {
    if (bench.pushes.length > 1) return answer(request, "waiting", [{ type: "run.completed" }]);
    signal.addEventListener("abort", () => {
      aborted = true;
    });
    return new Promise((resolve) => {
      end = resolve;
    });
  };
  const push = () => {
    const [first] = bench.pushes;
    if (!first) throw new Error("nothing was pushed");
    return first;
  };
  const spent = (seq: number): DeliveryOutcome => answerAt(push(), seq, []);
  return { push, end: (outcome: DeliveryOutcome) => end(outcome), spent, aborted: () => aborted };
}

function answerAt(request: ExecuteRequest, seq: number, commands: Command[]): DeliveryOutcome {
  return answer({ ...request, fence: { ...request.fence, seq } }, "more", commands);
}

describe("an invocation that has recorded all it did", () => {
  it("and needs another push gets it under the same generation, at once and without a statement", async () => {
    const dispatcher = bench.dispatcher();
    const { push, end, spent } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    const recorded = await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)]);
    expect(recorded).toMatchObject({ type: "recorded", records: [] });
    bench.statements.length = 0;
    end(spent(push().fence.seq + 1));
    await bench.pass(1);
    expect((await bench.view(id)).status).toBe("completed");
    expect(bench.pushes[1]?.fence).toEqual({ ...push().fence, seq: push().fence.seq + 1 });
    expect(bench.statements.filter((verb) => verb !== "claim")).toEqual(["commit"]);
  });

  it("is a failed delivery when it has recorded nothing", async () => {
    const dispatcher = bench.dispatcher();
    const { push, end, spent } = underWay();
    await bench.start(dispatcher);
    await bench.pass(10);
    end(spent(push().fence.seq));
    await bench.pass(500);
    expect(bench.pushes[1]?.fence.gen).toBe(push().fence.gen + 1);
  });

  it("is parked when the run was paused meanwhile, and not pushed", async () => {
    const dispatcher = bench.dispatcher();
    const { push, end, spent } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "pause" });
    const recorded = await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)]);
    expect(recorded).toMatchObject({ type: "recorded", stop: "answer" });
    end(spent(recorded.type === "recorded" ? recorded.seq : 0));
    await bench.pass(60_000);
    expect(await bench.view(id)).toMatchObject({ status: "paused", records: 1 });
    expect(bench.pushes).toHaveLength(1);
    await bench.send(id, { kind: "resume" });
    dispatcher.wake();
    await bench.pass(10);
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("is not pushed again while it is paused, also when the invocation failed after its checkpoint", async () => {
    const dispatcher = bench.dispatcher();
    const { push, end } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "pause" });
    await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)]);
    end({ type: "failed", reach: "lost", code: "CONNECTION_LOST", message: "gone" });
    await bench.pass(60_000);
    expect(await bench.view(id)).toMatchObject({ status: "paused", records: 1 });
    expect(bench.pushes).toHaveLength(1);
  });

  it("lets the run go at once when the orchestrator is being stopped", async () => {
    const dispatcher = bench.dispatcher();
    const { push, end, spent } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    let stopped = false;
    void dispatcher.stop(60_000).then(() => {
      stopped = true;
    });
    await bench.pass(1);
    expect(await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)])).toMatchObject({ stop: "answer" });
    end(spent(push().fence.seq + 1));
    await bench.pass(1);
    expect([stopped, bench.pushes.length, bench.row(id).leaseUntil]).toEqual([true, 1, null]);
  });
});

describe("a checkpoint", () => {
  it("brings what came meanwhile, oldest first, within the same acknowledgement", async () => {
    const dispatcher = bench.dispatcher();
    const { push } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    const sleep: Command = { type: "sleep", key: entryKey("sleep", "nap", 0), durationMs: 50 };
    const first = await checkpoint(dispatcher, push(), push().fence.seq, [WAIT, sleep]);
    if (first.type !== "recorded") throw new Error(first.type);
    expect(first.records.map(({ value }) => value.state)).toEqual(["waiting", "sleeping"]);
    await bench.pass(100);
    await bench.send(id, { kind: "event", name: "word", data: "x" });
    const second = await checkpoint(dispatcher, push(), first.seq, [taskDone(0)]);
    expect(second.type === "recorded" && second.records.map(({ key, value }) => [key, value.state])).toEqual([
      ["sleep:nap#0", "completed"],
      ["event:word#0", "received"],
    ]);
  });

  it("that reads a cancel ends the run, aborts the push and tells the invocation to stop", async () => {
    const dispatcher = bench.dispatcher();
    const { push, aborted } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "cancel", reason: "enough" });
    expect(await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)])).toMatchObject({ stop: "abandon" });
    await bench.pass(10);
    expect([(await bench.view(id)).status, aborted(), bench.pushes.length, dispatcher.held]).toEqual([
      "cancelled",
      true,
      1,
      0,
    ]);
  });

  it("that ends the run while its push is refused is the end of it: nothing is pushed again", async () => {
    const dispatcher = bench.dispatcher();
    let recorded: Promise<unknown> | undefined;
    bench.endpoint = async (request) => {
      const { fence, run } = request;
      if (fence.seq === 0) return answer(request, "more", [taskDone(0)], true);
      await bench.send(run.id, { kind: "cancel", reason: "enough" });
      bench.storeAway = true;
      recorded ??= checkpoint(dispatcher, request, fence.seq, [taskDone(1)]);
      return { type: "history_needed" };
    };
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    bench.storeAway = false;
    await bench.pass(2_000);
    expect(await recorded).toMatchObject({ stop: "abandon" });
    expect([(await bench.view(id)).status, bench.pushes.length, dispatcher.held]).toEqual(["cancelled", 2, 0]);
  });

  it("that comes when the run's time is over ends it, aborts the push and tells the invocation to stop", async () => {
    const dispatcher = bench.dispatcher({ leaseMs: 60_000 });
    const { push, aborted } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    // The version gets its limit while the invocation goes on.
    bench.timeoutOf = () => 5_000;
    const { seq } = push().fence;
    const first = await checkpoint(dispatcher, push(), seq, [taskDone(0)]);
    expect(first).toMatchObject({ records: [{ value: { state: "limited", timeoutMs: 5_000 } }] });
    await bench.pass(5_000);
    expect(await checkpoint(dispatcher, push(), seq + 1, [taskDone(1)])).toMatchObject({ stop: "abandon" });
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" }, records: 4 });
    expect([aborted(), bench.pushes.length, dispatcher.held]).toEqual([true, 1, 0]);
  });

  it("that reads a pause stops the run's time: what the invocation still does is recorded", async () => {
    const dispatcher = bench.dispatcher({ leaseMs: 60_000 });
    bench.timeoutOf = () => 5_000;
    const { push, end, aborted } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "pause" });
    const recorded = await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)]);
    expect(recorded).toMatchObject({ type: "recorded", stop: "answer" });
    await bench.pass(6_000);
    expect(aborted()).toBe(false);
    end(answerAt(push(), recorded.type === "recorded" ? recorded.seq : 0, [taskDone(1)]));
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "paused", records: 3 });
    await bench.send(id, { kind: "resume" });
    dispatcher.wake();
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" }, records: 4 });
  });

  it.each<Command>([
    { type: "run.completed" },
    { type: "run.failed", error: { name: "Error", message: "no" } },
    { type: "run.retry", error: { name: "Error", message: "no" }, delayMs: 5 },
  ])("takes no end of the handler: $type", async (ending) => {
    const dispatcher = bench.dispatcher();
    const { push } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    const refused = await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0), ending]);
    expect(refused).toMatchObject({ type: "refused", message: expect.stringContaining(ending.type) });
    expect(await bench.view(id)).toMatchObject({ status: "running", records: 0 });
  });

  it("is written by any process, and the one that pushed takes the answer that builds on it", async () => {
    const [one, other] = [bench.dispatcher(), bench.dispatcher()];
    const { push, end } = underWay();
    const id = await bench.start(one);
    await bench.pass(10);
    let { seq } = push().fence;
    for (const [index, dispatcher] of [other, one, other, other, one, other].entries()) {
      const recorded = await checkpoint(dispatcher, push(), seq, [taskDone(index)]);
      if (recorded.type !== "recorded") throw new Error(`${index} is ${recorded.type}`);
      seq = recorded.seq;
    }
    end(answerAt(push(), seq, [taskDone(6)]));
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "completed", records: 8 });
    // No outcome was unknown.
    expect(bench.pushes[1]?.fence.gen).toBe(push().fence.gen);
  });

  it("whose acknowledgement was lost stands, and the answer that repeats it does not count", async () => {
    const dispatcher = bench.dispatcher();
    const { push, end } = underWay();
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await checkpoint(dispatcher, push(), push().fence.seq, [taskDone(0)]);
    end(answerAt(push(), push().fence.seq, [taskDone(0), WAIT]));
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "completed", records: 2 });
    expect(bench.pushes[1]?.fence.gen).toBe(push().fence.gen + 1);
  });

  it("of another push, or after the answer, is stale wherever it arrives", async () => {
    const [one, other] = [bench.dispatcher(), bench.dispatcher()];
    const { push, end } = underWay();
    const id = await bench.start(one);
    await bench.pass(10);
    const { seq } = push().fence;
    const wrong = await checkpoint(one, { ...push(), pushId: "push_other" }, seq, [taskDone(0)]);
    expect(wrong).toEqual({ type: "stale" });
    end(answerAt(push(), seq, [taskDone(0)]));
    await bench.pass(10);
    for (const dispatcher of [one, other]) {
      expect(await checkpoint(dispatcher, push(), seq, [taskDone(1)])).toEqual({ type: "stale" });
    }
    expect(await bench.view(id)).toMatchObject({ records: 2 });
  });
});
