import { mock, replayHistory, testAiki } from "@aikirun/testing";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";

const openAccess = task({ name: "open-access", handler: async (account: string) => ({ opened: account }) });
const closeAccess = task({ name: "close-access", handler: async (_: string) => {} });

/** The trial of 14 days, and ways to get it wrong. */
function trial(broken?: "never closes" | "closes those who pay" | "too short" | "opens twice") {
  return workflow({ name: "trial" }).v("1.0.0", {
    async handler(run, account: string) {
      await openAccess.start(run, account);
      if (broken === "opens twice") await openAccess.start(run, account);
      const payment = await run.events.paid.wait({ timeout: { days: broken === "too short" ? 13 : 14 } });
      if (payment.timeout ? broken !== "never closes" : broken === "closes those who pay") {
        await closeAccess.start(run, account);
      }
      return payment.timeout ? "free" : payment.data.plan;
    },
    events: { paid: event<{ plan: string }>() },
  });
}

/** What a user writes of it. */
async function expires(trialV1: ReturnType<typeof trial>) {
  const aiki = testAiki({ workflows: [trialV1], tasks: [mock(closeAccess, () => {})] });
  const run = await aiki.start(trialV1, "ada");
  await aiki.advance({ days: 13, hours: 23 });
  expect(aiki.calls(openAccess)).toMatchObject([{ input: "ada", output: { opened: "ada" } }]);
  expect(aiki.calls(closeAccess)).toEqual([]);
  await aiki.advance({ hours: 1 });
  expect(aiki.calls(closeAccess)).toMatchObject([{ input: "ada", attempt: 1 }]);
  expect(await run.result()).toBe("free");
}

async function isPaid(trialV1: ReturnType<typeof trial>) {
  const aiki = testAiki({ workflows: [trialV1] });
  const run = await aiki.start(trialV1, "ada");
  await aiki.advance({ days: 3 });
  await run.events.paid.send({ plan: "team" });
  expect(await run.result()).toBe("team");
  expect(aiki.now()).toEqual(new Date("2026-01-04T00:00:00Z"));
  expect(aiki.calls(closeAccess)).toEqual([]);
}

describe("a trial of 14 days", () => {
  it("passes when the workflow is right", async () => {
    await expires(trial());
    await isPaid(trial());
  });

  it("fails when the workflow is wrong", async () => {
    await expect(expires(trial("never closes"))).rejects.toThrow("expected [] to match");
    await expect(expires(trial("too short"))).rejects.toThrow("to deeply equal []");
    await expect(expires(trial("opens twice"))).rejects.toThrow("to match object");
    await expect(isPaid(trial("closes those who pay"))).rejects.toThrow("to deeply equal []");
  });

  it("tells whether runs in flight fit the code of today", async () => {
    const aiki = testAiki({ workflows: [trial()] });
    const run = await aiki.start(trial(), "ada");
    const recorded = JSON.parse(JSON.stringify(await run.history())) as unknown;
    expect(await replayHistory(trial("too short"), recorded)).toEqual({ fits: true });

    const other = workflow({ name: "trial" }).v("1.0.0", {
      async handler(run, account: string) {
        await openAccess.start(run, account.toUpperCase());
        return "free";
      },
    });
    expect(await replayHistory(other, recorded)).toEqual({
      fits: false,
      reason: `Recorded but not asked for: task open-access #1 "ada", event paid #1. Asked for instead: task open-access "ADA".`,
      divergence: { leftover: [`task open-access #1 "ada"`, "event paid #1"], asked: [`task open-access "ADA"`] },
    });
  });

  it("says what a recorded run is, and whose it must be", async () => {
    await expect(replayHistory(trial(), { records: [] })).rejects.toThrow(
      "This is not a recorded run (at run: Invalid input: expected object, received undefined). Make one with: aiki runs history RUN --json.",
    );
    const aiki = testAiki({ workflows: [trial()] });
    const recorded = await (await aiki.start(trial(), "ada")).history();
    const v2 = workflow({ name: "trial" }).v("2.0.0", { handler: async () => {} });
    await expect(replayHistory(v2, recorded)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
