/** A run stays with the version that it was started with, also when endpoints come, go and change without a word. */
import { event, task, workflow } from "@aikirun/workflow";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { type Endpoint, pushed } from "../pushed.js";
import { SOON, type Stage, staged } from "../stage.js";

/** `PART VERSION at PLACE`, as the tasks themselves tell it. */
let executed: string[] = [];
beforeEach(() => {
  executed = [];
});
const note = task({
  name: "note",
  handler: async ({ at, part }: { at: string; part: string }, { run }) =>
    void executed.push(`${part} ${run.versionId} at ${at}`),
});
const order = workflow({ name: "order" });
/** A version as one app serves it. What a task is given says where it ran only before the first record of it. */
const version = (id: string, at: string, first: string = at) =>
  order.v(id, {
    async handler(run) {
      await note.start(run, { at: first, part: "began" });
      await run.events.go.wait();
      await note.start(run, { at, part: "ended" });
      return `${id} at ${at}`;
    },
    events: { go: event() },
  });

async function endpoint({ access }: Stage): Promise<Endpoint> {
  const made = await pushed(access);
  onTestFinished(() => made.stop());
  return made;
}

async function begin({ aiki, until }: Stage, versionId: string) {
  const handle = await version(versionId, "").start(aiki);
  await until(handle.id, ({ status }) => status === "suspended");
  return handle;
}

const outputOf = async (handle: Awaited<ReturnType<typeof begin>>) => {
  const end = await handle.waitForStatus("completed");
  return end.success ? end.state.output : end.cause;
};

test("a version that is no longer served, without a word to the orchestrator: the next push finds out", async () => {
  const stage = await staged([]);
  const app = await endpoint(stage);
  await app.serve([version("1.0.0", "a")]);
  const pushed = await begin(stage, "1.0.0");
  app.replace([version("2.0.0", "a")]);
  await pushed.events.go.send();
  const started = await version("1.0.0", "a").start(stage.aiki);
  for (const handle of [pushed, started]) {
    await expect
      .poll(() => handle.refresh(), SOON)
      .toMatchObject({
        status: "queued",
        waitsFor: expect.arrayContaining([expect.objectContaining({ kind: "endpoint", name: "order@1.0.0" })]),
        trouble: {
          code: "WORKFLOW_NOT_SERVED",
          deliveries: 0,
          message: expect.stringMatching(
            /^(Nobody serves|This app does not serve) order@1\.0\.0\. Served: order@2\.0\.0/,
          ),
        },
      });
  }
  // A run may say it before the endpoint has been asked what it serves now.
  const served = async (): Promise<unknown[]> =>
    (await stage.aiki.listWorkflows()).map(({ name, version, endpoint, live }) => [name, version, endpoint, live]);
  await expect.poll(served, SOON).toEqual([
    ["order", "1.0.0", undefined, 2],
    ["order", "2.0.0", app.url, 0],
  ]);

  const other = await begin(stage, "2.0.0");
  await app.serve([version("1.0.0", "a"), version("2.0.0", "a")]);
  expect(await outputOf(pushed)).toBe("1.0.0 at a");
  for (const handle of [started, other]) await handle.events.go.send();
  expect([await outputOf(started), await outputOf(other)]).toEqual(["1.0.0 at a", "2.0.0 at a"]);
  expect(executed.filter((line) => line.startsWith("began 1.0.0"))).toHaveLength(2);
});

test("an endpoint that is removed: its runs wait for whoever serves their version next", async () => {
  const stage = await staged([]);
  const first = await endpoint(stage);
  await first.serve([version("1.0.0", "first")]);
  const handle = await begin(stage, "1.0.0");
  for (const { id } of await stage.aiki.listEndpoints()) await stage.aiki.removeEndpoint(id);
  await handle.events.go.send();
  await expect
    .poll(async () => (await handle.refresh()).trouble?.message, SOON)
    .toMatch(/^Nobody serves order@1\.0\.0\. Add it to serveAiki/);
  const { requests } = first;
  const second = await endpoint(stage);
  await second.serve([version("1.0.0", "second", "first")]);
  expect(await outputOf(handle)).toBe("1.0.0 at second");
  expect(first.requests).toBe(requests);
});

test("a version that another endpoint owns: refused, and with takeOver its runs in flight move", async () => {
  const stage = await staged([]);
  const first = await endpoint(stage);
  await first.serve([version("1.0.0", "first"), version("2.0.0", "first")]);
  const [moved, stays] = [await begin(stage, "1.0.0"), await begin(stage, "2.0.0")];
  const second = await endpoint(stage);
  await expect(second.serve([version("1.0.0", "second", "first")])).rejects.toMatchObject({
    code: "VERSION_OWNED",
    message: expect.stringContaining(`order@1.0.0 is served by ${first.url} (${first.url}).`),
  });
  await stage.aiki.registerEndpoint({ url: second.url, takeOver: true });
  for (const handle of [moved, stays]) await handle.events.go.send();
  expect(await outputOf(moved)).toBe("1.0.0 at second");
  expect(await outputOf(stays)).toBe("2.0.0 at first");
});
