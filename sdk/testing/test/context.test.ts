import { replayHistory, testAiki } from "@aikirun/testing";
import { workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";

interface Shop {
  readonly region: string;
}

const orderV1 = workflow<Shop>({ name: "order" }).v("1.0.0", {
  async handler(run, item: string) {
    await run.sleep(run.context.region, { days: 1 });
    return `${item} to ${run.context.region}`;
  },
});

describe("run.context in a test", () => {
  it("is the value that was given", async () => {
    const aiki = testAiki({ workflows: [orderV1], context: { region: "eu" } });
    expect(await (await aiki.start(orderV1, "tea")).result()).toBe("tea to eu");
    expect((await aiki.runs(orderV1)).map(({ run }) => run.status)).toEqual(["completed"]);
  });

  it("is made for each invocation by a function that is told of the run", async () => {
    const made: unknown[] = [];
    const context = async (run: object): Promise<Shop> => {
      made.push(run);
      return { region: "us" };
    };
    const aiki = testAiki({ workflows: [orderV1], context });
    const run = await aiki.start(orderV1.with("reference.id", "o-1"), "tea");
    expect(await run.result()).toBe("tea to us");
    const told = { id: run.id, name: "order", versionId: "1.0.0", options: { reference: "o-1" } };
    expect(made).toEqual([told, told]);
  });

  it("fails the test when it cannot be made", async () => {
    const context = (): Shop => {
      throw new Error("no database");
    };
    const aiki = testAiki({ workflows: [orderV1], context });
    await expect(aiki.start(orderV1, "tea")).rejects.toThrow("no database");
  });

  it("is needed to replay what reads it", async () => {
    const aiki = testAiki({ workflows: [orderV1], context: { region: "eu" } });
    const run = await aiki.start(orderV1, "tea");
    const recorded = await run.history();
    expect(await replayHistory(orderV1, recorded, { context: { region: "eu" } })).toEqual({ fits: true });
    expect(await replayHistory(orderV1, recorded, { context: { region: "us" } })).toMatchObject({ fits: false });
    // @ts-expect-error the version declares a context
    await expect(replayHistory(orderV1, recorded)).resolves.toMatchObject({ fits: false });
  });
});
