import { entryKey } from "@aikirun/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeliveryOutcome } from "../../src/dispatch/delivery.js";
import { answer, ROUTE, sequential, taskDone, Workbench } from "./workbench.js";

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
});

const SLEEP = entryKey("sleep", "grace", 0);
const lost: DeliveryOutcome = { type: "failed", code: "CONNECTION_LOST", message: "gone", reach: "lost" };

describe("the hot path", () => {
  it("costs one statement to start and one exchange and one statement per task", async () => {
    const dispatcher = bench.dispatcher();
    await bench.pass(10);
    bench.statements.length = 0;
    bench.endpoint = sequential(50);
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "completed", output: 50, records: 51 });
    expect(bench.pushes).toHaveLength(50);
    expect(bench.statements).toEqual(["start", ...Array.from({ length: 50 }, () => "commit")]);
  });

  it("sends a warm endpoint only what is new, and everything once it asks for it", async () => {
    const dispatcher = bench.dispatcher();
    const warm = sequential(5, true);
    let forgot = false;
    bench.endpoint = (request, signal) => {
      if (request.history.head.n === 3 && !forgot) {
        forgot = true;
        return { type: "history_needed" };
      }
      return warm(request, signal);
    };
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    expect((await bench.view(id)).status).toBe("completed");
    const sent = bench.pushes.map(({ history }) => [history.after?.n, history.records.length, history.head.n]);
    expect(sent).toEqual([
      [undefined, 0, 0],
      [0, 1, 1],
      [1, 1, 2],
      [2, 1, 3],
      [undefined, 3, 3],
      [3, 1, 4],
    ]);
    const [cold, again] = bench.pushes.slice(3, 5);
    expect(again?.fence).toEqual(cold?.fence);
    expect(again?.pushId).not.toBe(cold?.pushId);
    for (const [i, push] of bench.pushes.slice(1).entries()) {
      if (push.history.after) expect(push.history.after).toEqual(bench.pushes[i]?.history.head);
    }
  });

  it("stops relying on a copy that is never where the push arrives", async () => {
    const dispatcher = bench.dispatcher();
    const works = sequential(100, true);
    bench.endpoint = (request, signal) => (request.history.after ? { type: "history_needed" } : works(request, signal));
    await bench.start(dispatcher);
    await bench.pass(10);
    expect(bench.pushes.length).toBeLessThan(110);
  });

  it("wakes a sleeper in the millisecond in which it is due, without a scan", async () => {
    const dispatcher = bench.dispatcher({ scanMs: 100_000, idleScanMs: 100_000 });
    bench.endpoint = (request) =>
      request.history.head.n === 0
        ? answer(request, "waiting", [{ type: "sleep", key: SLEEP, durationMs: 5_000 }])
        : answer(request, "waiting", [{ type: "run.completed" }]);
    const id = await bench.start(dispatcher);
    await bench.pass(4_999);
    expect(await bench.view(id)).toMatchObject({ status: "suspended", waitsFor: [{ kind: "sleep", name: "grace" }] });
    await bench.pass(2);
    expect((await bench.view(id)).status).toBe("completed");
  });
});

describe("a delivery that fails", () => {
  it("is repeated under a new generation when its outcome is unknown, and uses no attempt", async () => {
    const dispatcher = bench.dispatcher();
    const works = sequential(1);
    bench.endpoint = (request, signal) => (bench.pushes.length <= 2 ? lost : works(request, signal));
    const id = await bench.start(dispatcher);
    await bench.pass(1_000);
    expect(bench.pushes.map((push) => push.fence.gen)).toEqual([1, 2, 3]);
    expect(await bench.view(id)).toMatchObject({ status: "completed" });
    expect((await bench.view(id)).trouble).toBeUndefined();
  });

  it("keeps the fence with a new push id when the endpoint is busy", async () => {
    const dispatcher = bench.dispatcher();
    const works = sequential(1);
    bench.endpoint = (request, signal) =>
      bench.pushes.length === 1 ? { type: "busy", retryAfterMs: 300, message: "later" } : works(request, signal);
    await bench.start(dispatcher);
    await bench.pass(299);
    expect(bench.pushes).toHaveLength(1);
    await bench.pass(2);
    expect(bench.pushes).toHaveLength(2);
    expect(bench.pushes[1]?.fence).toEqual(bench.pushes[0]?.fence);
    expect(bench.pushes[1]?.pushId).not.toBe(bench.pushes[0]?.pushId);
  });

  it("lets the run go when the wait is long, and says why", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = (request) =>
      bench.pushes.length === 1
        ? { type: "busy", retryAfterMs: 20_000, message: "later" }
        : sequential(1)(request, never);
    const id = await bench.start(dispatcher);
    await bench.pass(100);
    const view = await bench.view(id);
    expect(view).toMatchObject({ status: "queued", trouble: { code: "BUSY", deliveries: 1 } });
    expect(view.nextAt).toBe(bench.now - 100 + 20_000);
    expect(dispatcher.held).toBe(0);
    await bench.pass(20_000);
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("is retried ever more slowly, up to the longest pause", async () => {
    const dispatcher = bench.dispatcher({ maxLost: 1_000 });
    const at: number[] = [];
    bench.endpoint = () => {
      at.push(bench.scheduler.now);
      return lost;
    };
    await bench.start(dispatcher);
    await bench.pass(300_000);
    const pauses = at.slice(1).map((ms, i) => ms - (at[i] as number));
    expect(pauses.slice(0, 9)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600]);
    expect(new Set(pauses.slice(9))).toEqual(new Set([30_000]));
  });

  it.each([
    ["20 lost once sent", lost, 20],
    ["3 ended by the host's time", { ...lost, reach: "timeout" } as DeliveryOutcome, 3],
  ])("stalls the run after %s; a requeue starts again", async (_, outcome, times) => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = () => outcome;
    const id = await bench.start(dispatcher);
    await bench.pass(24 * 60 * 60_000 - 60_000);
    expect(bench.pushes).toHaveLength(times);
    expect(await bench.view(id)).toMatchObject({
      status: "stalled",
      trouble: { code: "DELIVERY_EXHAUSTED", deliveries: times },
    });
    bench.endpoint = sequential(1);
    await bench.send(id, { kind: "requeue" });
    dispatcher.wake();
    await bench.pass(100);
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("stalls the run after a day without a delivery, however the endpoint refused", async () => {
    const dispatcher = bench.dispatcher({ scanMs: 1_000_000, idleScanMs: 1_000_000 });
    const id = await bench.start(dispatcher);
    await bench.pass(24 * 60 * 60_000 - 60_000);
    expect(await bench.view(id)).toMatchObject({ status: "queued", trouble: { code: "CONNECTION_REFUSED" } });
    await bench.pass(120_000);
    expect(await bench.view(id)).toMatchObject({ status: "stalled", trouble: { code: "DELIVERY_EXHAUSTED" } });
  });

  it("counts again from the start after a good one", async () => {
    const dispatcher = bench.dispatcher();
    const timeout: DeliveryOutcome = { ...lost, reach: "timeout" } as DeliveryOutcome;
    bench.endpoint = (request, signal) => (bench.pushes.length % 3 === 0 ? sequential(4)(request, signal) : timeout);
    const id = await bench.start(dispatcher);
    await bench.pass(60_000);
    expect((await bench.view(id)).status).toBe("completed");
    expect(bench.pushes).toHaveLength(12);
  });

  it.each(["waiting", "more"] as const)("is one when `%s` leads nowhere", async (state) => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = (request) => answer(request, state, []);
    const id = await bench.start(dispatcher);
    await bench.pass(2_000);
    expect(await bench.view(id)).toMatchObject({ status: "queued", records: 0, trouble: { code: "NO_PROGRESS" } });
  });

  it("is one when the answer is for another push", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = (request) => answer({ ...request, pushId: "push_other" }, "more", [taskDone(0)]);
    const id = await bench.start(dispatcher);
    await bench.pass(2_000);
    expect(await bench.view(id)).toMatchObject({ records: 0, trouble: { code: "BAD_ANSWER" } });
  });

  it("is one when the whole history is not enough", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = () => ({ type: "history_needed" });
    const id = await bench.start(dispatcher);
    await bench.pass(2_000);
    expect(await bench.view(id)).toMatchObject({ trouble: { code: "BAD_ANSWER" } });
    expect(bench.pushes.length).toBeLessThan(10);
  });
});

describe("a run that cannot go on", () => {
  it("waits for an endpoint, says what it waits for, and starts when one is registered", async () => {
    const dispatcher = bench.dispatcher();
    bench.routeOf = () => undefined;
    bench.endpoint = sequential(1);
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    const view = await bench.view(id);
    expect(view).toMatchObject({ status: "queued", waitsFor: [{ kind: "endpoint", name: "hello@1.0.0" }] });
    expect(view.trouble).toMatchObject({ code: "WORKFLOW_NOT_SERVED", deliveries: 0 });
    expect(view.trouble?.message).toContain(
      "Nobody serves hello@1.0.0. Served: hello@0.9.0 (https://app.test/api/aiki).",
    );
    expect((view.nextAt ?? 0) - bench.now).toBeLessThanOrEqual(30_000);
    bench.routeOf = () => ROUTE;
    expect(await bench.runs.wakeUnserved("default", [{ workflow: "hello", version: "1.0.0" }])).toBe(1);
    dispatcher.wake();
    await bench.pass(10);
    expect((await bench.view(id)).status).toBe("completed");
  });

  it("is stalled by changed code and shows what differs", async () => {
    const dispatcher = bench.dispatcher();
    const divergence = { leftover: ["task:a:00#0"], asked: ["task b"] };
    bench.endpoint = () => ({ type: "diverged", divergence, message: "no longer fits" });
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "stalled", trouble: { code: "NON_DETERMINISM", divergence } });
    expect(bench.pushes).toHaveLength(1);
    await bench.pass(100_000);
    expect(bench.pushes).toHaveLength(1);
  });

  it("is stalled when whoever takes it up dies again and again", async () => {
    const id = await bench.start();
    for (let i = 0; i < 26; i++) {
      await bench.runs.claim({ limit: 1, leaseMs: 10 });
      await bench.pass(11);
    }
    bench.dispatcher();
    await bench.pass(10);
    expect(await bench.view(id)).toMatchObject({ status: "stalled", trouble: { code: "DELIVERY_EXHAUSTED" } });
    expect(bench.pushes).toHaveLength(0);
  });
});

describe("a cancel", () => {
  it("aborts the push that is under way, at once when it was sent here", async () => {
    const dispatcher = bench.dispatcher();
    let aborted = false;
    bench.endpoint = (_request, signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          resolve(lost);
        });
      });
    const id = await bench.start(dispatcher);
    await bench.pass(10);
    await bench.send(id, { kind: "cancel", reason: "enough" });
    dispatcher.cancelSent("default", id);
    await bench.pass(10);
    expect(aborted).toBe(true);
    expect(await bench.view(id)).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  it("is noticed within a third of a lease when it was sent elsewhere", async () => {
    const dispatcher = bench.dispatcher({ leaseMs: 3_000 });
    bench.endpoint = () => new Promise(() => {});
    const id = await bench.start(dispatcher, "hello", 3_000);
    await bench.send(id, { kind: "cancel", reason: undefined });
    await bench.pass(1_010);
    expect((await bench.view(id)).status).toBe("cancelled");
  });
});

const never = new AbortController().signal;
