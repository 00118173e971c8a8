import type { WorkflowClient } from "@aikirun/protocol";
import {
  AikiError,
  type Duration,
  event,
  type RetryPolicy,
  type StandardSchemaV1,
  task,
  workflow,
} from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

const handler = async () => {};
const code = (make: () => unknown): unknown => {
  try {
    make();
  } catch (error) {
    return error instanceof AikiError ? error.code : error;
  }
  return "accepted";
};

describe("definitions", () => {
  it.each<[string, () => unknown]>([
    ["an empty task name", () => task({ name: "", handler })],
    ["a control character", () => task({ name: "a\nb", handler })],
    ["a long name", () => workflow({ name: "x".repeat(256) })],
    ["a version with a colon", () => workflow({ name: "a" }).v("1:2", { handler })],
    ["an event's empty name", () => workflow({ name: "a" }).v("1", { handler, events: { "": event() } })],
    ["no attempts", () => task({ name: "a", handler, retry: { type: "fixed", maxAttempts: 0, delayMs: 1 } })],
    [
      "a part of a millisecond",
      () => task({ name: "a", handler, retry: { type: "fixed", maxAttempts: 2, delayMs: 1.5 } }),
    ],
    [
      "a factor below 1",
      () =>
        task({ name: "a", handler }).with("retry", {
          type: "exponential",
          maxAttempts: 2,
          baseDelayMs: 1,
          factor: 0.5,
        }),
    ],
    ["an unknown policy", () => task({ name: "a", handler, retry: { type: "sometimes" } as unknown as RetryPolicy })],
    [
      "a foreign field",
      () => task({ name: "a", handler, retry: { type: "never", delayMs: 1 } as unknown as RetryPolicy }),
    ],
    ["a negative timeout", () => task({ name: "a", handler, timeout: -1 })],
    ["a run that is none", () => task({ name: "a", handler }).start({} as never)],
    ["an empty reference", () => workflow({ name: "a" }).v("1", { handler }).with("reference.id", "")],
    [
      "an unknown option",
      () =>
        workflow({ name: "a" })
          .v("1", { handler })
          .with("constructor" as "pool", "x"),
    ],
    [
      "a workflow's policy without attempts",
      () => workflow({ name: "a" }).v("1", { handler, retry: { type: "fixed", maxAttempts: 0, delayMs: 1 } }),
    ],
    [
      "a start's unknown policy",
      () =>
        workflow({ name: "a" })
          .v("1", { handler })
          .with("retry", { type: "often" } as unknown as RetryPolicy),
    ],
    ["a workflow without time", () => workflow({ name: "a" }).v("1", { handler, timeout: 0 })],
    ["a start without time", () => workflow({ name: "a" }).v("1", { handler }).with("timeout", { seconds: 0 })],
    ["a negative time", () => workflow({ name: "a" }).v("1", { handler }).with("timeout", -1)],
    ["an empty pool", () => workflow({ name: "a" }).v("1", { handler }).with("pool", "")],
  ])("refuse %s", (_what, make) => {
    expect(code(make)).toBe("INVALID_ARGUMENT");
  });
});

describe("durations", () => {
  const sleeping = (duration: Duration) =>
    new Orchestrator(workflow({ name: "w" }).v("1", { handler: (run) => run.sleep("s", duration) })).push();

  it("add up and round up", async () => {
    const duration = { days: 1, hours: 1, minutes: 1, seconds: 1, milliseconds: 0.5 };
    expect(await sleeping(duration)).toMatchObject({ commands: [{ type: "sleep", durationMs: 90_061_001 }] });
    expect(await sleeping(0)).toMatchObject({ commands: [{ durationMs: 0 }] });
  });

  it.each<[Duration, string]>([
    [-1, "INVALID_ARGUMENT"],
    [Number.NaN, "INVALID_ARGUMENT"],
    [{}, "INVALID_ARGUMENT"],
    [{ weeks: 1 } as Duration, "INVALID_ARGUMENT"],
    [{ days: 3651 }, "LIMIT_EXCEEDED"],
    [Number.POSITIVE_INFINITY, "INVALID_ARGUMENT"],
  ])("refuse %j", async (duration, expected) => {
    expect(await sleeping(duration)).toMatchObject({ commands: [{ type: "run.failed", error: { code: expected } }] });
  });
});

/** Notes what a client is asked for. */
function recorder() {
  const calls: unknown[][] = [];
  const answers: Record<string, unknown> = {
    startRun: { run: { id: "run_1", workflow: "w", version: "1", status: "queued", createdAt: 0 }, existing: false },
    getRun: { id: "run_1", workflow: "w", version: "1", status: "completed", output: { n: 1 } },
    findRun: { id: "run_2", workflow: "w", version: "1", status: "running" },
    waitForEnd: { ended: true, run: { id: "run_1", status: "completed", output: { n: 1 } } },
    sendEvent: { duplicate: false },
  };
  const answersTo = (bodies: { input: unknown }[]) =>
    bodies.map(({ input }, i) =>
      input === "2"
        ? { outcome: "error", error: new AikiError("RUN_ID_CONFLICT", "taken") }
        : {
            outcome: i === 0 ? "existing" : "created",
            run: { id: `run_${String(input)}`, workflow: "w", version: "1" },
          },
    );
  const client = new Proxy({} as WorkflowClient, {
    get:
      (_target, method: string) =>
      async (...args: unknown[]) => {
        calls.push([method, ...args]);
        if (method === "startRuns") return answersTo(args[0] as { input: unknown }[]);
        if (method !== "multicastEvent") return answers[method];
        const [{ runs }] = args as [{ runs: { id: string }[] }];
        return { outcomes: runs.map(({ id }) => ({ id, outcome: "sent" })) };
      },
  });
  return { calls, client };
}

describe("starting from a client", () => {
  const digits: StandardSchemaV1<string, number> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        typeof value === "string" && /^\d+$/.test(value)
          ? { value: Number(value) }
          : { issues: [{ message: "digits" }] },
    },
  };
  const version = workflow({ name: "w" }).v("1", {
    schema: { input: digits },
    handler: async (_run, n) => ({ n }),
    events: { go: event({ schema: digits }), at: event<Date>() },
  });

  it("sends what the caller gave, decoded, with the options", async () => {
    const { calls, client } = recorder();
    const at = new Date(5);
    await version
      .with("reference", { id: "r", conflictPolicy: "return_existing" })
      .with("trigger", { type: "at", at })
      .with("retry", { type: "fixed", maxAttempts: 2, delayMs: 5 })
      .with("timeout", { seconds: 9 })
      .with("pool", "gpu")
      .start(client, "7");
    await version
      .with("reference.id", "r")
      .with("trigger", { type: "delayed", delay: { seconds: 1 } })
      .start(client, "7");
    expect(calls).toEqual([
      [
        "startRun",
        {
          workflow: "w",
          version: "1",
          input: "7",
          reference: { id: "r", conflictPolicy: "return_existing" },
          trigger: { type: "at", at: 5 },
          retry: { type: "fixed", maxAttempts: 2, delayMs: 5 },
          timeoutMs: 9_000,
          pool: "gpu",
        },
      ],
      [
        "startRun",
        {
          workflow: "w",
          version: "1",
          input: "7",
          reference: { id: "r" },
          trigger: { type: "delayed", delayMs: 1000 },
        },
      ],
    ]);
  });

  it("starts many, each with its own outcome and in the order given", async () => {
    const { calls, client } = recorder();
    const outcomes = await version
      .with("trigger", { type: "delayed", delay: 5 })
      .startMany(client, ["1", "x", "2", "3"], {
        reference: (input, index) => (index === 3 ? { id: input, conflictPolicy: "return_existing" } : `r${input}`),
      });
    expect(outcomes).toMatchObject([
      { success: true, existing: true, handle: { id: "run_1" } },
      { success: false, error: { code: "SCHEMA_INVALID" } },
      { success: false, error: { code: "RUN_ID_CONFLICT" } },
      { success: true, existing: false, handle: { id: "run_3" } },
    ]);
    const body = { workflow: "w", version: "1", trigger: { type: "delayed", delayMs: 5 } };
    expect(calls).toEqual([
      [
        "startRuns",
        [
          { ...body, input: "1", reference: { id: "r1" } },
          { ...body, input: "2", reference: { id: "r2" } },
          { ...body, input: "3", reference: { id: "3", conflictPolicy: "return_existing" } },
        ],
      ],
    ]);
    await expect(version.with("reference.id", "one").startMany(client, ["1"])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const loose = workflow({ name: "w" }).v("1", { handler: async (_run, _input: unknown) => {} });
    expect(await loose.startMany(client, [() => 1, { at: 1 }])).toMatchObject([
      { success: false, error: { code: "NOT_SERIALIZABLE" } },
      { success: true },
    ]);
  });

  it("refuses bad input and bad events before the client is asked", async () => {
    const { calls, client } = recorder();
    await expect(version.start(client, "x")).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    await expect(version.events.go.send(client, "run_1", "x")).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    const loose = workflow({ name: "w" }).v("1", { handler: async (_run, _input: unknown) => {} });
    await expect(loose.start(client, { f: () => 1 })).rejects.toMatchObject({
      code: "NOT_SERIALIZABLE",
      message: "w@1 was given an input that JSON cannot hold: $.f is a function. Use plain data.",
    });
    await expect(loose.start(client, "x".repeat(3_000_000))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(calls).toEqual([]);
  });

  it("gives handles that wait, refresh, cancel and send", async () => {
    const { calls, client } = recorder();
    const handle = await version.start(client, "7");
    expect([handle.id, handle.run.status]).toEqual(["run_1", "queued"]);
    expect(await handle.waitForStatus("completed", { timeout: { seconds: 2 } })).toEqual({
      success: true,
      state: { status: "completed", output: { n: 1 } },
    });
    expect(await handle.waitForStatus("failed")).toEqual({ success: false, cause: "run_terminated" });
    expect((await handle.refresh()).output).toEqual({ n: 1 });
    expect(handle.run.status).toBe("completed");
    await handle.cancel("enough");
    await handle.pause();
    await handle.resume();
    await handle.wakeup();
    await handle.requeue();
    await handle.retry();
    await handle.events.at.with("reference.id", "e").send(new Date(0));
    expect(calls.slice(1)).toEqual([
      ["waitForEnd", "run_1", { timeoutMs: 2000 }],
      ["waitForEnd", "run_1", {}],
      ["getRun", "run_1"],
      ["cancelRun", "run_1", { reason: "enough" }],
      ["pauseRun", "run_1"],
      ["resumeRun", "run_1"],
      ["wakeupRun", "run_1"],
      ["requeueRun", "run_1"],
      ["retryRun", "run_1"],
      ["sendEvent", "run_1", { name: "at", data: "1970-01-01T00:00:00.000Z", reference: "e" }],
    ]);
  });

  it("finds runs by id, only its own, and by reference", async () => {
    const { client } = recorder();
    expect((await version.getHandleById(client, "run_1")).run.output).toEqual({ n: 1 });
    expect((await version.getHandleByReferenceId(client, "r")).id).toBe("run_2");
    const other = workflow({ name: "w" }).v("2", { handler });
    await expect(other.getHandleById(client, "run_1")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("sends an event to many runs, a thousand at a time, with an outcome for each", async () => {
    const { calls, client } = recorder();
    const ids = Array.from({ length: 1_001 }, (_, i) => `run_${i}`);
    const outcomes = await version.events.go.send(client, ids, "1");
    expect(outcomes.map(({ id }) => id)).toEqual(ids);
    expect(calls).toHaveLength(2);
  });
});
