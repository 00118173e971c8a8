import { testAiki } from "@aikirun/testing";
import { tripV1 } from "@examples/workflows";
import { expect, it } from "vitest";

it("gives back what was booked when a part cannot be had", async () => {
  const aiki = testAiki({ workflows: [tripV1] });
  const run = await aiki.start(tripV1, { traveller: "Ada", soldOut: "concert" });
  expect(await run.result()).toMatchObject({ booked: [], because: expect.stringContaining("the concert is sold out") });
  const { records } = await run.history();
  const tasks = records.filter(({ kind }) => kind === "task").map(({ key }) => key.split(":")[1]);
  expect(tasks).toEqual(["book", "book", "book", "cancel-booking", "cancel-booking"]);
});
