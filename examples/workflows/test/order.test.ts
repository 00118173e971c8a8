import { testAiki } from "@aikirun/testing";
import { courierRideV1, orderV1 } from "@examples/workflows";
import { describe, expect, it } from "vitest";

const input = {
  order: "ramen",
  guest: "Ada",
  acceptWithin: { minutes: 10 },
  ride: { minutes: 25 },
  surveyAfter: { hours: 3 },
};
const served = { workflows: [orderV1, courierRideV1] };

describe("a restaurant's order", () => {
  it("is delivered by a courier, a child run of its own", async () => {
    const aiki = testAiki(served);
    const run = await aiki.start(orderV1, input);
    await run.events.accepted.send({ minutes: 15 });
    const [ride] = await aiki.runs(courierRideV1);
    expect(ride?.run.parent).toBe(run.id);

    expect(await run.result()).toEqual({ order: "ramen", delivered: true, courier: expect.any(String) });
    const minutes = (aiki.now().getTime() - run.run.createdAt) / 60_000;
    expect(minutes).toBeGreaterThan(25 + 3 * 60);
    expect(minutes).toBeLessThan(26 + 3 * 60);
  });

  it("costs nothing when the kitchen does not accept it in time", async () => {
    const aiki = testAiki(served);
    const run = await aiki.start(orderV1, input);
    await aiki.advance({ minutes: 10 });
    expect(await run.result()).toEqual({ order: "ramen", delivered: false });
    expect(await aiki.runs(courierRideV1)).toEqual([]);
  });

  it("takes its courier along when it is cancelled", async () => {
    const aiki = testAiki(served);
    const run = await aiki.start(orderV1, input);
    await run.events.accepted.send({ minutes: 15 });
    await aiki.advance({ minutes: 5 });
    await run.cancel("the guest has left");
    await aiki.settle();
    expect((await aiki.runs(courierRideV1)).map(({ run }) => run.status)).toEqual(["cancelled"]);
  });
});
