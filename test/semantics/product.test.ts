import { type RecordedRun, replayHistory, testAiki } from "@aikirun/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aiki } from "../../sdk/cli/test/aiki.js";
import { payments } from "../fixtures/product/payments.js";
import { hourly, weekly } from "../fixtures/product/schedule.js";
import { checkOut } from "../fixtures/product/start.js";
import { checkoutV1, reportV1, surveyV1 } from "../fixtures/product/workflows.js";
import { type Stage, stage } from "./stage.js";

describe("the code that users are promised", () => {
  let on: Stage;
  beforeAll(async () => {
    on = await stage([checkoutV1, surveyV1, reportV1]);
  });
  afterAll(() => on?.close());

  it("charges once, hears of the delivery, waits for its child and completes", async () => {
    const outcome = await checkOut(on.aiki);
    expect(outcome).toMatchObject({ receiptId: "r-999", stars: 2 });
    expect(payments.charged).toEqual([{ customerId: "c1", cents: 999, key: expect.any(String) }]);
    const { records } = await on.aiki.readHistory(outcome.id);
    expect(records.map(({ key }) => key.replace(/[0-9a-f]{64}/, "…"))).toEqual(
      expect.arrayContaining(["task:charge-card:…#0", "event:delivered#0", "child:survey:1.0.0:…#0", "run:#0"]),
    );

    const env = { AIKI_URL: on.access.url, AIKI_API_KEY: on.access.apiKey };
    const printed = await aiki(["runs", "history", outcome.id, "--json"], { env });
    const recorded = JSON.parse(printed.stdout) as RecordedRun;
    expect(await replayHistory(checkoutV1, recorded)).toEqual({ fits: true });
    const inTest = testAiki({ workflows: [checkoutV1, surveyV1] });
    const { id } = await checkOut(inTest.client);
    const run = (await inTest.runs(checkoutV1)).find((one) => one.id === id);
    expect(statesOf((await run?.history()) as RecordedRun)).toEqual(statesOf(recorded));
  });

  it("keeps a schedule for Mondays at nine in Berlin, however often it is deployed", async () => {
    const { aiki } = on;
    for (let i = 0; i < 2; i++) await weekly(aiki);
    const { schedules } = await aiki.listSchedules({ workflow: "report" });
    expect(schedules).toMatchObject([{ status: "active", recurrence: { expression: "0 9 * * 1" } }]);
    const berlin = { timeZone: "Europe/Berlin", weekday: "long", hour: "numeric" } as const;
    for (const at of (await aiki.getSchedule(schedules[0]?.id ?? "")).upcoming) {
      expect(new Intl.DateTimeFormat("en-GB", berlin).format(at)).toMatch(/Monday.*09/);
    }
  });

  it("starts the report when it is told to, and forgets the schedule", async () => {
    const { aiki } = on;
    const { id, runId, deactivate } = await hourly(aiki);
    const handle = await reportV1.getHandleById(aiki, runId);
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: { report: "for dev" } } });
    expect(handle.run).toMatchObject({ schedule: id });
    await deactivate();
    await expect(aiki.getSchedule(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the same code in a user's test", () => {
  it("gives up on a delivery after three days, and asks for a survey a day later", async () => {
    const aiki = testAiki({ workflows: [checkoutV1, surveyV1] });
    const run = await aiki.start(checkoutV1, { customerId: "c1", cents: 1 });
    await aiki.advance({ days: 3 });
    expect((await run.refresh()).waitsFor).toEqual([expect.objectContaining({ kind: "sleep", name: "grace" })]);
    expect(await run.result()).toMatchObject({ survey: { stars: 2 } });
    expect(aiki.now().getTime() - run.run.createdAt).toBe(4 * 86_400_000);
  });
});

function statesOf({ records }: RecordedRun): string[] {
  return records.map(({ key, value }) => `${key} ${value.state}`).sort();
}
