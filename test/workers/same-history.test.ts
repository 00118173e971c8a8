import { setTimeout as delay } from "node:timers/promises";
import { client } from "@aikirun/client";
import type { HistoryRecord } from "@aikirun/protocol";
import { worker } from "@aikirun/worker";
import { event, NonRetryableError, task, workflow } from "@aikirun/workflow";
import { expect, it, onTestFinished } from "vitest";
import { startApp } from "../../server/test/api/app.js";
import { start } from "../../server/test/api/server.js";

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
    const both = await Promise.all([slow.start(run, 150), slow.start(run, 5)]);
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

const ways = {
  "pushed step by step": { checkpoints: "off", pulls: false },
  "pushed, with checkpoints": { checkpoints: "on", pulls: false },
  "by a worker": { checkpoints: "on", pulls: true },
  "by a worker, step by step": { checkpoints: "off", pulls: true },
} as const;

it("a run has the same result and the same recorded history whichever way its code is reached", async () => {
  const seen: Record<string, unknown> = {};
  for (const [name, { checkpoints, pulls }] of Object.entries(ways)) {
    const aiki = await start("dev", { settings: { AIKI_CHECKPOINTS: checkpoints } });
    const api = client({ url: aiki.server.url });
    if (pulls) {
      const running = await worker({ workflows: [allV1, childV1] }).spawn(api);
      onTestFinished(() => running.stop());
    } else {
      const app = await startApp(aiki.server.url, [allV1, childV1]);
      await api.registerEndpoint({ url: app.url });
    }
    const handle = await allV1.start(api);
    await handle.events.early.send("hello");
    await handle.waitForStatus("completed");
    const { output } = await api.getRun(handle.id);
    const { records } = await api.readHistory(handle.id);
    seen[name] = { output, records: records.map(fact) };
  }
  const [first, ...others] = Object.values(seen);
  expect(first).toMatchObject({
    output: {
      both: [150, 5],
      times: 3,
      caught: "TaskFailedError",
      early: { timeout: false, data: "hello" },
      late: { timeout: true },
      nap: { cancelled: false },
      child: 42,
      last: 2,
    },
  });
  for (const other of others) expect(other).toEqual(first);
});

/** A record without what no two runs share: numbers, instants, ids, stacks. */
function fact({ kind, key, value }: HistoryRecord): object {
  const { state } = value;
  const attempts = "attempts" in value ? value.attempts : undefined;
  const output = "output" in value ? value.output : undefined;
  return { kind, key, state, attempts, output };
}
