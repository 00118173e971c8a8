import { beforeEach, describe, expect, it } from "vitest";
import type { DeliveryOutcome } from "../../src/dispatch/delivery.js";
import { answer, ROUTE, sequential, Workbench } from "./workbench.js";

let bench: Workbench;
beforeEach(() => {
  bench = new Workbench();
  bench.timeoutOf = () => 5_000;
});

const lost: DeliveryOutcome = { type: "failed", code: "CONNECTION_LOST", message: "gone", reach: "lost" };
const timedOut = { status: "failed", error: { code: "RUN_TIMEOUT" } };

describe("a run whose time is over", () => {
  it("has its push aborted in the millisecond in which it is, and its answer refused", async () => {
    const dispatcher = bench.dispatcher({ leaseMs: 60_000 });
    let abortedAt = 0;
    let answerLate = () => {};
    bench.endpoint = (request, signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          abortedAt = bench.scheduler.now;
        });
        answerLate = () => resolve(answer(request, "waiting", [{ type: "run.completed", output: 1 }]));
      });
    const id = await bench.start(dispatcher, "hello", 60_000);
    await bench.pass(4_999);
    expect([await bench.view(id), abortedAt]).toMatchObject([{ status: "running" }, 0]);
    await bench.pass(2);
    expect(abortedAt).toBe(5_000);
    expect(await bench.view(id)).toMatchObject(timedOut);
    answerLate();
    await bench.pass(100);
    expect(await bench.view(id)).toMatchObject({ ...timedOut, records: 1 });
    expect(bench.errors).toEqual([]);
  });

  it("is not pushed again and again to an endpoint that is away", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = () => lost;
    const id = await bench.start(dispatcher);
    await bench.pass(4_990);
    const pushes = bench.pushes.length;
    await bench.pass(20);
    expect(await bench.view(id)).toMatchObject(timedOut);
    await bench.pass(60_000);
    expect(bench.pushes).toHaveLength(pushes);
  });

  it("ends when its time is over, although it waits longer for a busy endpoint", async () => {
    const dispatcher = bench.dispatcher({ scanMs: 100_000, idleScanMs: 100_000 });
    bench.endpoint = () => ({ type: "busy", retryAfterMs: 60_000, message: "later" });
    const id = await bench.start(dispatcher);
    await bench.pass(100);
    expect((await bench.view(id)).nextAt).toBe(bench.now + 4_900);
    await bench.pass(4_905);
    expect(await bench.view(id)).toMatchObject(timedOut);
  });

  it("ends in time although nobody serves its version any more", async () => {
    const dispatcher = bench.dispatcher();
    bench.endpoint = (request) => {
      bench.routeOf = () => undefined;
      bench.timeoutOf = () => undefined;
      return answer(request, "waiting", [{ type: "event.wait", key: "event:paid#0" }]);
    };
    const id = await bench.start(dispatcher);
    await bench.pass(5_005);
    expect(await bench.view(id)).toMatchObject(timedOut);
    await bench.runs.retry("default", id, "again");
    bench.routeOf = () => ROUTE;
    dispatcher.wake();
    await bench.pass(5_005);
    expect(await bench.view(id)).toMatchObject({ ...timedOut, runAttempt: 2 });
  });

  it("says in its push which attempt of the handler it is, also in one that was made ready early", async () => {
    const dispatcher = bench.dispatcher();
    bench.timeoutOf = () => undefined;
    const error = { name: "Error", message: "no" };
    bench.endpoint = (request, signal) =>
      request.run.runAttempt < 3
        ? answer(request, "waiting", [{ type: "run.retry", error, delayMs: 10 }])
        : sequential(5)(request, signal);
    await bench.start(dispatcher);
    await bench.pass(100);
    expect(bench.pushes.map(({ run }) => run.runAttempt)).toEqual([1, 2, 3]);
  });
});
