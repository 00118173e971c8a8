/** Every duration and name that user code gives: refused where it is written, before anything is sent or recorded. */
import type { WorkflowClient } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import { AikiError, type Duration, event, type RetryPolicy, task, type WorkflowRun, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { Orchestrator } from "./orchestrator.js";

const BAD: [string, Duration, string][] = [
  ["negative", -1, "INVALID_ARGUMENT"],
  ["NaN", Number.NaN, "INVALID_ARGUMENT"],
  ["Infinity", Number.POSITIVE_INFINITY, "INVALID_ARGUMENT"],
  ["negative infinity", Number.NEGATIVE_INFINITY, "INVALID_ARGUMENT"],
  ["a negative part", { hours: 1, minutes: -1 }, "INVALID_ARGUMENT"],
  ["a NaN part", { hours: Number.NaN }, "INVALID_ARGUMENT"],
  ["text", "1h" as unknown as Duration, "INVALID_ARGUMENT"],
  ["null", null as unknown as Duration, "INVALID_ARGUMENT"],
  ["no unit", {}, "INVALID_ARGUMENT"],
  ["an unknown unit", { years: 1 } as Duration, "INVALID_ARGUMENT"],
  ["over ten years", LIMITS.durationMs + 1, "LIMIT_EXCEEDED"],
  ["over ten years in days", { days: 3_651 }, "LIMIT_EXCEEDED"],
  ["beyond any number", { days: 1e308 }, "LIMIT_EXCEEDED"],
];

/** A client that must not be asked for anything. */
const untouched = new Proxy({} as WorkflowClient, {
  get(_target, method) {
    throw new Error(`the client was asked to ${String(method)}`);
  },
});
const events = { go: event() };
const plain = workflow({ name: "plain" }).v("1", { handler: async () => {}, events });

async function codeOf(make: () => unknown): Promise<unknown> {
  try {
    await make();
  } catch (error) {
    return error instanceof AikiError ? error.code : error;
  }
  return "accepted";
}

/** What a handler's call is refused with: the run is told, and nothing of the call is recorded. */
async function inHandler(call: (run: WorkflowRun<typeof events>) => Promise<unknown>): Promise<unknown> {
  const version = workflow({ name: "w" }).v("1", { handler: (run) => call(run), events });
  const answer = await new Orchestrator(version).push();
  if (answer.state === "diverged") return "diverged";
  const [only, ...others] = answer.commands;
  return others.length === 0 && only?.type === "run.failed" ? only.error.code : answer.commands;
}

const PLACES: [string, (duration: Duration) => Promise<unknown>][] = [
  ["a task's timeout", (timeout) => codeOf(() => task({ name: "a", handler: () => {}, timeout }))],
  ["a start's delay", (delay) => codeOf(() => plain.with("trigger", { type: "delayed", delay }).start(untouched))],
  ["a sleep", (duration) => inHandler((run) => run.sleep("s", duration))],
  ["an event's timeout", (timeout) => inHandler((run) => run.events.go.wait({ timeout }))],
  [
    "a child's delay",
    (delay) => inHandler((run) => plain.with("trigger", { type: "delayed", delay }).startAsChild(run)),
  ],
];

describe.each(PLACES)("%s", (_place, given) => {
  it.each(BAD)("refuses %s", async (_what, duration, code) => {
    expect(await given(duration)).toBe(code);
  });

  it("takes ten years", async () => {
    const taken = await given({ days: 3_650 }).catch((error: Error) => error);
    expect(taken).not.toBe("LIMIT_EXCEEDED");
    expect(taken).not.toBe("INVALID_ARGUMENT");
  });
});

describe("delays of a retry policy", () => {
  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, LIMITS.durationMs + 1])("refuse %d", async (delayMs) => {
    const policies: RetryPolicy[] = [
      { type: "fixed", maxAttempts: 2, delayMs },
      { type: "exponential", maxAttempts: 2, baseDelayMs: delayMs },
      { type: "exponential", maxAttempts: 2, baseDelayMs: 1, maxDelayMs: delayMs },
      { type: "jittered", maxAttempts: 2, baseDelayMs: delayMs },
    ];
    for (const retry of policies) {
      expect(await codeOf(() => task({ name: "a", handler: () => {}, retry }))).toBe("INVALID_ARGUMENT");
    }
  });
});

describe("a dated start", () => {
  it.each([new Date(Number.NaN), new Date(-1), "2030-01-01" as unknown as Date, 5 as unknown as Date])(
    "refuses %s",
    async (at) => {
      expect(await codeOf(() => plain.with("trigger", { type: "at", at }).start(untouched))).toBe("INVALID_ARGUMENT");
    },
  );
});

describe("names and references", () => {
  const bad: [string, string][] = [
    ["empty", ""],
    ["too long", "x".repeat(256)],
    ["with a control character", "a\u0000b"],
    ["with half a character", "a\ud800b"],
    ["that is no text", 7 as unknown as string],
  ];
  it.each(bad)("refuse one %s", async (_what, name) => {
    expect(await codeOf(() => workflow({ name }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(() => task({ name, handler: () => {} }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(() => plain.with("reference.id", name))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(() => plain.events.go.with("reference.id", name))).toBe("INVALID_ARGUMENT");
    expect(await inHandler((run) => run.sleep(name, 1))).toBe("INVALID_ARGUMENT");
  });
});
