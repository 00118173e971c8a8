/**
 * The runtime is killed again and again while runs are under way, and what its objects stored is thrown away: Postgres is
 * the only truth. What a workflow did is written down by the app itself, outside of Aiki.
 */
import { setTimeout as pause } from "node:timers/promises";
import { task, workflow } from "@aikirun/workflow";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { longTests } from "../long.js";
import { type Stage, stage } from "./stage.js";

const [RUNS, KILLS] = longTests ? [200, 20] : [30, 3];
const STEPS = 3;
const LEASE_MS = 2_000;
const CRON_MS = 1_000;

const done = new Map<string, number>();
const step = task({
  name: "step",
  async handler(input: { run: string; n: number }) {
    await pause(20);
    const key = `${input.run} ${input.n}`;
    done.set(key, (done.get(key) ?? 0) + 1);
    return input.n;
  },
});
const stepsV1 = workflow({ name: "steps" }).v("1.0.0", {
  async handler(run, input: { run: string }) {
    let sum = 0;
    for (let n = 1; n <= STEPS; n++) {
      sum += await step.start(run, { run: input.run, n });
      await run.sleep(`nap ${n}`, { milliseconds: 100 });
    }
    return sum;
  },
});

/** The runtime says how it was killed. */
const SILENT = { info() {}, warn() {}, error() {} };

let on: Stage;
beforeAll(async () => {
  const settings = { AIKI_LEASE_MS: String(LEASE_MS) };
  on = await stage(inject("postgresSocket"), { settings, cronMs: CRON_MS, log: SILENT }, [stepsV1]);
}, 120_000);
afterAll(() => on?.close());

it(
  `loses and doubles nothing when workerd is killed ${KILLS} times during ${RUNS} runs`,
  async () => {
    const ids = Array.from({ length: RUNS }, (_, i) => `r${i}`);
    const killer = (async () => {
      for (let kill = 1; kill <= KILLS; kill++) {
        await pause(500 + Math.random() * 1_500);
        await on.host.kill();
        if (kill === 2) on.host.dropDurableObjects();
        await on.host.start();
      }
    })();
    const handles = await Promise.all(
      ids.map(async (run, i) => {
        // Spread over the kills, so that each of them meets runs at every stage.
        await pause((i / RUNS) * KILLS * 1_250);
        return stepsV1.with("reference.id", run).start(on.aiki, { run });
      }),
    );
    await killer;
    for (const handle of handles) {
      const ended = await handle.waitForStatus("completed", { timeout: { minutes: 2 } });
      expect(ended).toMatchObject({ success: true, state: { output: (STEPS * (STEPS + 1)) / 2 } });
      const { records } = await on.aiki.readHistory(handle.id);
      const recorded = records.filter(({ kind, value }) => kind === "task" && value.state === "completed");
      expect(recorded).toHaveLength(STEPS);
    }
    expect((await on.aiki.listRuns({ limit: 500 })).runs).toHaveLength(RUNS);
    // A step whose outcome was lost with the runtime runs again, and only such a step.
    const executions = [...done.values()];
    expect(executions).toHaveLength(RUNS * STEPS);
    const again = executions.reduce((sum, times) => sum + times - 1, 0);
    expect(again).toBeLessThan(KILLS * RUNS);
  },
  longTests ? 600_000 : 150_000,
);
