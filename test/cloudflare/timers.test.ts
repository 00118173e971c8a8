import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@aikirun/client";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { longTests } from "../long.js";
import { napV1, type Stage, stage, tourV1 } from "./stage.js";

/** How many, when the first comes due, and over how long the rest is spread. */
const [SLEEPERS, FIRST_MS, SPREAD_MS] = longTests ? [200, 5_000, 60_000] : [24, 1_000, 3_000];
/** Of this machine while nothing else runs on it, which only the long run may hope for. */
const LATE_P95_MS = longTests ? 100 : 2_000;

describe("alarms", () => {
  let on: Stage;
  beforeAll(async () => {
    on = await stage(inject("postgresSocket"), {});
  }, 120_000);
  afterAll(() => on?.close());

  it.runIf(longTests)(
    `cost next to nothing while 10,000 runs sleep${longTests ? "" : " (takes minutes: npm run test:all)"}`,
    async () => {
      const before = usageOf(on.host.pids());
      const awake = async () => (await on.aiki.listRuns({ status: "queued,running", limit: 1 })).runs.length;
      for (let i = 0; i < 10; i++) {
        const started = await napV1.startMany(
          on.aiki,
          Array.from({ length: 1_000 }, () => ({ ms: 86_400_000 })),
        );
        expect(started.every(({ success }) => success)).toBe(true);
        // On this machine all objects live in one process, which has so many files.
        await expect.poll(awake, { timeout: 60_000, interval: 500 }).toBe(0);
      }
      const busy = usageOf(on.host.pids()).memoryMb - before.memoryMb;
      // The runtime keeps the memory that starting them took. What it needs while they sleep, a new one shows.
      await on.host.kill();
      await on.host.start();
      await on.aiki.countRuns();
      // Objects that have nothing to do are put away after ten seconds.
      await pause(30_000);
      const asleep = usageOf(on.host.pids());
      await pause(20_000);
      const after = usageOf(on.host.pids());
      const share = (after.cpuMs - asleep.cpuMs) / 20_000;
      const more = after.memoryMb - before.memoryMb;
      console.log(
        `10,000 sleeping runs: ${(100 * share).toFixed(2)} % of a core, ${more.toFixed(0)} MB; ${busy.toFixed(0)} MB in the runtime that started them`,
      );
      expect(share).toBeLessThan(0.01);
      expect(more).toBeLessThan(50);
    },
    600_000,
  );

  it(`wake ${SLEEPERS} runs that come due within ${SPREAD_MS / 1_000} s, never early and hardly late`, async () => {
    const naps = await Promise.all(
      Array.from({ length: SLEEPERS }, (_, i) =>
        napV1.start(on.aiki, { ms: FIRST_MS + (i / SLEEPERS) * (SPREAD_MS / 2) }),
      ),
    );
    // Nobody asks for them meanwhile, which would keep the runtime busy.
    await pause(2 * FIRST_MS + SPREAD_MS);
    const late = await Promise.all(
      naps.map(async (nap) => {
        expect(await nap.waitForStatus("completed")).toMatchObject({ success: true });
        return latenessOf(on.aiki, nap.id);
      }),
    );
    const all = late.flat().sort((a, b) => a - b);
    expect(all).toHaveLength(2 * SLEEPERS);
    const p95 = all[Math.ceil(0.95 * all.length) - 1] ?? Number.NaN;
    console.log(
      `${all.length} timers: late by ${all[all.length >> 1]} ms (median), ${p95} ms (p95), ${all.at(-1)} ms (most)`,
    );
    expect(all[0]).toBeGreaterThanOrEqual(0);
    expect(p95).toBeLessThan(LATE_P95_MS);
  }, 180_000);
});

describe("without alarms", () => {
  let on: Stage;
  beforeAll(async () => {
    on = await stage(inject("postgresSocket"), { alarms: false, cronMs: 300 });
  }, 120_000);
  afterAll(() => on?.close());

  it("the cron trigger alone brings every run to its end", async () => {
    const naps = await Promise.all(Array.from({ length: 5 }, () => napV1.start(on.aiki, { ms: 400 })));
    const tour = await tourV1.start(on.aiki, { n: 1 });
    await tour.events.answer.send("yes");
    for (const nap of naps) expect(await nap.waitForStatus("completed")).toMatchObject({ success: true });
    expect(await tour.waitForStatus("completed")).toMatchObject({ success: true });
  }, 60_000);
});

/** Of each sleep, by the database's clock: from the instant that was promised to the commit that says so. */
async function latenessOf(aiki: Client, runId: string): Promise<number[]> {
  const { records } = await aiki.readHistory(runId);
  return records.flatMap((asleep) => {
    if (asleep.value.state !== "sleeping") return [];
    const awake = records.find(({ key, value }) => key === asleep.key && value.state === "completed");
    return awake ? [awake.at - asleep.value.wakeAt] : [];
  });
}

/** By proc(5): clock ticks of user and system time, a hundred in a second, and resident memory. */
function usageOf(pids: readonly number[]): { readonly cpuMs: number; readonly memoryMb: number } {
  let [cpuMs, memoryMb] = [0, 0];
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    cpuMs += (Number(stat[11]) + Number(stat[12])) * 10;
    memoryMb += Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  }
  return { cpuMs, memoryMb };
}
