import type { ActivateScheduleBody, Schedule, WorkflowClient } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { describe, expect, it, vi } from "vitest";
import { type ScheduleDefinition, type StandardSchemaV1, schedule, workflow } from "../src/index.js";

const teamSchema: StandardSchemaV1<{ team: string }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const { team } = value as { team?: unknown };
      return typeof team === "string" ? { value: { team } } : { issues: [{ message: "must be text", path: ["team"] }] };
    },
  },
};
const reportV1 = workflow({ name: "report" }).v("1.0.0", {
  handler: async (_run, _input: { team: string }) => {},
  schema: { input: teamSchema },
});
const plainV1 = workflow({ name: "plain" }).v("1.0.0", { handler: async () => {} });

const STORED = { id: "sch_1", status: "active" } as Schedule;

function fake() {
  const bodies: ActivateScheduleBody[] = [];
  const calls = {
    activateSchedule: vi.fn(async (body: ActivateScheduleBody) => {
      bodies.push(body);
      return { schedule: STORED, outcome: "created" as const };
    }),
    pauseSchedule: vi.fn(async (): Promise<Schedule> => ({ ...STORED, status: "paused" })),
    resumeSchedule: vi.fn(async () => STORED),
    triggerSchedule: vi.fn(async () => ({ runId: "run_1", started: true })),
    deleteSchedule: vi.fn(async () => {}),
  };
  return { bodies, calls, client: calls as unknown as WorkflowClient };
}

describe("activate", () => {
  it("says what is to start, and when", async () => {
    const { bodies, client } = fake();
    const cron = schedule({ type: "cron", expression: "0 9 * * 1", timezone: "Europe/Berlin" });
    expect((await cron.activate(client, reportV1, { team: "ops" })).id).toBe("sch_1");
    await schedule({ type: "interval", every: { minutes: 1, seconds: 30 }, overlapPolicy: "skip", catchUp: "all" })
      .with("reference.id", "r1")
      .activate(client, plainV1);
    expect(bodies).toEqual([
      {
        workflow: "report",
        version: "1.0.0",
        input: { team: "ops" },
        recurrence: { type: "cron", expression: "0 9 * * 1", timezone: "Europe/Berlin" },
      },
      {
        workflow: "plain",
        version: "1.0.0",
        recurrence: { type: "interval", everyMs: 90_000 },
        overlapPolicy: "skip",
        catchUp: "all",
        reference: { id: "r1" },
      },
    ]);
  });

  it("takes a reference with its policy, and leaves the starter that it was made from as it was", async () => {
    const { bodies, client } = fake();
    const daily = schedule({ type: "interval", every: { days: 1 } });
    await daily
      .with("reference", { id: "r1", conflictPolicy: "error" })
      .with("reference.id", "r2")
      .activate(client, plainV1);
    await daily.activate(client, plainV1);
    expect(bodies.map(({ reference }) => reference)).toEqual([{ id: "r2", conflictPolicy: "error" }, undefined]);
  });

  it("refuses input that the schema or JSON refuses, before anything is sent", async () => {
    const { calls, client } = fake();
    const daily = schedule({ type: "interval", every: { days: 1 } });
    const wrong = { team: 5 } as unknown as { team: string };
    await expect(daily.activate(client, reportV1, wrong)).rejects.toMatchObject({ code: "SCHEMA_INVALID" });
    const endless = { team: "ops", big: 1n };
    await expect(daily.activate(client, reportV1, endless)).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
    expect(calls.activateSchedule).not.toHaveBeenCalled();
  });
});

describe("the handle", () => {
  it("steers the schedule", async () => {
    const { calls, client } = fake();
    const handle = await schedule({ type: "interval", every: 1_000 }).activate(client, plainV1);
    await handle.pause();
    expect(handle.schedule.status).toBe("paused");
    await handle.resume();
    expect(handle.schedule.status).toBe("active");
    expect(await handle.trigger()).toEqual({ runId: "run_1", started: true });
    await handle.deactivate();
    for (const call of [calls.pauseSchedule, calls.resumeSchedule, calls.triggerSchedule, calls.deleteSchedule]) {
      expect(call).toHaveBeenCalledExactlyOnceWith("sch_1");
    }
  });

  it("is content when the schedule is gone already, and only then", async () => {
    const { calls, client } = fake();
    const handle = await schedule({ type: "interval", every: 1_000 }).activate(client, plainV1);
    calls.deleteSchedule.mockRejectedValueOnce(new AikiError("NOT_FOUND", "gone"));
    await handle.deactivate();
    calls.deleteSchedule.mockRejectedValueOnce(new AikiError("FORBIDDEN", "no"));
    await expect(handle.deactivate()).rejects.toMatchObject({ code: "FORBIDDEN" });
  });
});

describe("a definition", () => {
  it.each([
    [{ type: "moon" }, "INVALID_ARGUMENT", "cron, interval"],
    [{ type: "cron" }, "INVALID_ARGUMENT", "cron expression"],
    [{ type: "cron", expression: "*".repeat(201) }, "INVALID_ARGUMENT", "1 to 200"],
    [{ type: "cron", expression: "0 9 * * 1", timezone: "" }, "INVALID_ARGUMENT", "time zone"],
    [{ type: "cron", expression: "0 9 * * 1", overlap: "skip" }, "INVALID_ARGUMENT", "overlapPolicy"],
    [{ type: "cron", expression: "0 9 * * 1", overlapPolicy: "queue" }, "INVALID_ARGUMENT", "cancel_previous"],
    [{ type: "cron", expression: "0 9 * * 1", catchUp: "none" }, "INVALID_ARGUMENT", "one, all"],
    [{ type: "interval" }, "INVALID_ARGUMENT", "interval"],
    [{ type: "interval", every: -1 }, "INVALID_ARGUMENT", "not negative"],
    [{ type: "interval", every: Number.NaN }, "INVALID_ARGUMENT", "not negative"],
    [{ type: "interval", every: 999 }, "LIMIT_EXCEEDED", "at least 1000 ms"],
    [{ type: "interval", every: { days: 3_651 } }, "LIMIT_EXCEEDED", "ten years"],
  ])("%j is refused", (definition, code, words) => {
    const make = () => schedule(definition as unknown as ScheduleDefinition);
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }));
  });

  it("has only the options that it has", () => {
    const starter = schedule({ type: "interval", every: { days: 1 } });
    expect(() => starter.with("trigger" as "reference.id", "x")).toThrow("reference.id, reference");
    expect(() => starter.with("reference.id", "")).toThrow("A reference id");
    const policy = "replace" as "update";
    expect(() => starter.with("reference", { id: "r", conflictPolicy: policy })).toThrow(
      "update, error, return_existing",
    );
  });
});
