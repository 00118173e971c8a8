/** One workflow that does a little of everything: what is recorded of it is the same in every mode. */
import { setTimeout as delay } from "node:timers/promises";
import { event, NonRetryableError, task, workflow } from "@aikirun/workflow";
import { expect, it } from "vitest";
import { staged } from "./stage.js";

const slow = task({
  name: "slow",
  async handler(ms: number) {
    await delay(ms);
    return ms;
  },
});
const flaky = task({
  name: "flaky",
  retry: { type: "fixed", maxAttempts: 3, delayMs: 10 },
  async handler(_input: string, { attempt }) {
    if (attempt < 3) throw new Error(`attempt ${attempt}`);
    return attempt;
  },
});
const broken = task({
  name: "broken",
  async handler(input: string) {
    throw new NonRetryableError(input);
  },
});
const childV1 = workflow({ name: "all-child" }).v("1.0.0", {
  handler: async (run, input: { n: number }) => (await slow.start(run, 1)) + input.n,
});
const allV1 = workflow({ name: "all" }).v("1.0.0", {
  async handler(run) {
    const both = await Promise.all([slow.start(run, 400), slow.start(run, 5)]);
    const times = await flaky.start(run, "x");
    const caught = await broken.start(run, "no").catch((error: Error) => error.name);
    const early = await run.events.early.wait({ timeout: { minutes: 5 } });
    const late = await run.events.never.wait({ timeout: 30 });
    const nap = await run.sleep("nap", 20);
    const child = await childV1.startAsChild(run, { n: 41 });
    const end = await child.waitForStatus("completed");
    const last = await slow.start(run, 2);
    return { both, times, caught, early, late, nap, child: end.success && end.state.output, last };
  },
  events: { early: event<string>(), never: event() },
});

it("a run that does a little of everything", async () => {
  const { aiki } = await staged([allV1, childV1]);
  const handle = await allV1.start(aiki);
  await handle.events.early.send("hello");
  expect(await handle.waitForStatus("completed")).toMatchObject({
    state: {
      output: {
        both: [400, 5],
        times: 3,
        caught: "TaskFailedError",
        early: { timeout: false, data: "hello" },
        late: { timeout: true },
        nap: { cancelled: false },
        child: 42,
        last: 2,
      },
    },
  });
});
