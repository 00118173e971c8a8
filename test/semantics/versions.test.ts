/** A run stays with the version that it was started with, wherever and whenever that is served. `pushed/` says more. */
import { event, task, workflow } from "@aikirun/workflow";
import { expect, it, onTestFinished } from "vitest";
import { anotherApp, SOON, staged } from "./stage.js";

const note = task({ name: "note", handler: async (part: string, { run }) => `${part} by ${run.versionId}` });
const order = workflow({ name: "order" });
/** A version as one app serves it. */
const version = (id: string, at: string) =>
  order.v(id, {
    async handler(run) {
      const began = await note.start(run, "began");
      await run.events.go.wait();
      return [began, await note.start(run, "ended"), at];
    },
    events: { go: event() },
  });
const told = (id: string, at: string) => [`began by ${id}`, `ended by ${id}`, at];

it("several versions in one app: each run goes on with the code that it was started with", async () => {
  const { aiki, app, until } = await staged([version("1.0.0", "a")]);
  const first = await version("1.0.0", "a").start(aiki);
  await until(first.id, ({ status }) => status === "suspended");
  await app.serve([version("1.0.0", "a"), version("2.0.0", "a")]);
  const second = await version("2.0.0", "a").start(aiki);
  for (const handle of [first, second]) await handle.events.go.send();
  expect(await first.waitForStatus("completed")).toMatchObject({ state: { output: told("1.0.0", "a") } });
  expect(await second.waitForStatus("completed")).toMatchObject({ state: { output: told("2.0.0", "a") } });
});

it("several versions in several apps: each run goes to one that has its version", async () => {
  const stage = await staged([version("1.0.0", "old")]);
  const young = await anotherApp(stage.access);
  onTestFinished(() => young.stop());
  await young.serve([version("2.0.0", "young")]);
  const handles = await Promise.all(
    ["1.0.0", "2.0.0", "1.0.0", "2.0.0"].map((id) => version(id, "").start(stage.aiki)),
  );
  for (const handle of handles) await handle.events.go.send();
  const outputs = [];
  for (const handle of handles) {
    const end = await handle.waitForStatus("completed");
    outputs.push(end.success && end.state.output.at(-1));
  }
  expect(outputs).toEqual(["old", "young", "old", "young"]);
});

it("a version that nobody serves any more: its runs wait, say for what, and go on when it is served again", async () => {
  const { aiki, app } = await staged([version("1.0.0", "a")]);
  const begun = await version("1.0.0", "a").start(aiki);
  await expect.poll(async () => (await begun.refresh()).status, SOON).toBe("suspended");
  await app.serve([version("2.0.0", "a")]);
  await begun.events.go.send();
  const fresh = await version("1.0.0", "a").start(aiki);
  for (const handle of [begun, fresh]) {
    await expect
      .poll(async () => await handle.refresh(), SOON)
      .toMatchObject({
        status: "queued",
        waitsFor: expect.arrayContaining([expect.objectContaining({ kind: "endpoint", name: "order@1.0.0" })]),
        trouble: { code: "WORKFLOW_NOT_SERVED", deliveries: 0 },
      });
  }
  await app.serve([version("1.0.0", "a"), version("2.0.0", "a")]);
  await fresh.events.go.send();
  for (const handle of [begun, fresh]) {
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: told("1.0.0", "a") } });
  }
});
