import { testAiki } from "@aikirun/testing";
import { trialV1 } from "@examples/workflows";
import { describe, expect, it } from "vitest";

const input = { account: "ada", lasts: { days: 14 } };

describe("a trial of 14 days", () => {
  it("closes the account when nobody has paid", async () => {
    const aiki = testAiki({ workflows: [trialV1] });
    const run = await aiki.start(trialV1, input);

    await aiki.advance({ days: 13, hours: 23 });
    expect((await run.refresh()).status).toBe("suspended");

    await aiki.advance({ hours: 1 });
    expect(await run.result()).toEqual({ account: "ada", plan: "free" });
  });

  it("keeps it open when somebody has, and loses no time over it", async () => {
    const aiki = testAiki({ workflows: [trialV1] });
    const run = await aiki.start(trialV1, input);

    await aiki.advance({ days: 3 });
    await run.events.paid.send({ plan: "team" });

    expect(await run.result()).toEqual({ account: "ada", plan: "team" });
    expect(aiki.now()).toEqual(new Date("2026-01-04T00:00:00Z"));
  });

  it("opens it once, whatever becomes of the answer", async () => {
    const aiki = testAiki({ workflows: [trialV1] });
    const lost = aiki.faults.loseAnswer();
    const run = await aiki.start(trialV1, input);
    await aiki.settle();

    expect(lost.struck).toBe(1);
    const { records } = await run.history();
    expect(records.filter(({ kind }) => kind === "task")).toHaveLength(2);
  });
});
