import { newId } from "@aikirun/protocol";
import { worker } from "@aikirun/worker";
import { schedule, workflow } from "@aikirun/workflow";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { childV1, fanV1, napV1, type Stage, stage, tourV1 } from "./stage.js";

const pulledV1 = workflow({ name: "pulled" }).v("1.0.0", {
  async handler(run, input: { n: number }) {
    await run.sleep("nap", { milliseconds: 100 });
    const child = await childV1.startAsChild(run, input);
    const ended = await child.waitForStatus("completed");
    return ended.success ? ended.state.output : null;
  },
});

describe.each(["hyperdrive", "neon"] as const)("the orchestrator on Workers, over %s", (driver) => {
  let on: Stage;
  beforeAll(async () => {
    on = await stage(inject("postgresSocket"), { driver, settings: { AIKI_LEASE_MS: "3000" } });
  }, 120_000);
  afterAll(() => on?.close());

  it("takes a run through tasks, a sleep, an event and a child", async () => {
    const handle = await tourV1.start(on.aiki, { n: 1 });
    await handle.events.answer.send("yes");
    expect(await handle.waitForStatus("completed")).toMatchObject({
      success: true,
      state: { output: { first: 2, answer: "yes", child: 4 } },
    });
  });

  it("wakes a run that was cancelled in its sleep", async () => {
    const handle = await napV1.start(on.aiki, { ms: 3_600_000 });
    await expect.poll(async () => (await on.aiki.getRun(handle.id)).status).toBe("suspended");
    await handle.cancel("enough");
    expect(await handle.waitForStatus("cancelled")).toMatchObject({ success: true });
  });

  it("starts a run later", async () => {
    const startedAt = Date.now();
    const handle = await childV1
      .with("trigger", { type: "delayed", delay: { milliseconds: 700 } })
      .start(on.aiki, { n: 4 });
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: 8 } });
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(700);
  });

  it("fires a schedule to the second", async () => {
    const active = await schedule({ type: "interval", every: { seconds: 1 } }).activate(on.aiki, childV1, { n: 3 });
    onTestFinished(() => active.deactivate());
    await expect
      .poll(
        async () =>
          (await on.aiki.listRuns({ workflow: "child", schedule: active.id, status: "completed" })).runs.length,
        { timeout: 15_000 },
      )
      .toBeGreaterThanOrEqual(2);
  });

  it("hands a run to a worker that pulls, and takes it on from there", async () => {
    const running = await worker({ workflows: [pulledV1] }).spawn(on.aiki);
    onTestFinished(() => running.stop());
    const handle = await pulledV1.start(on.aiki, { n: 5 });
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: 10 } });
  });

  it("takes a run back from a worker that died with it, once its lease has run out", async () => {
    const versions = [{ workflow: pulledV1.name, version: pulledV1.versionId }];
    const dying = fetch(`${on.host.url}/v1/workers/poll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ worker: newId("worker"), versions, room: 1 }),
    });
    const handle = await pulledV1.start(on.aiki, { n: 6 });
    expect(await (await dying).json()).toMatchObject({ pushes: [{ leaseMs: 3_000 }] });
    const running = await worker({ workflows: [pulledV1] }).spawn(on.aiki);
    onTestFinished(() => running.stop());
    // Neither the cron trigger nor the look at what nobody serves comes as soon as this.
    expect(await handle.waitForStatus("completed", { timeout: { seconds: 10 } })).toMatchObject({
      state: { output: 12 },
    });
  }, 30_000);

  it("fans out, with more objects than connections", async () => {
    const handle = await fanV1.start(on.aiki, { children: 60 });
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: 60 * 59 } });
  }, 60_000);
});
