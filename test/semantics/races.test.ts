import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { isPulled, SOON, type Stage, staged } from "./stage.js";

const note = task({ name: "note", handler: async (text: string) => text });
const survey = workflow({ name: "survey" }).v("1.0.0", {
  events: { done: event<string>() },
  handler: async (run) => (await run.events.done.wait()).data,
});
const approval = workflow({ name: "approval" }).v("1.0.0", {
  events: { yes: event<string>(), no: event<string>() },
  async handler(run) {
    const decide = () =>
      run.race([
        run.events.yes.wait().then(({ data }) => `yes ${data}`),
        run.events.no.wait().then(({ data }) => `no ${data}`),
        run.sleep("patience", { hours: 1 }).then(() => "silence"),
      ]);
    const first = await note.start(run, await decide());
    return [first, await decide()];
  },
});
const impatient = workflow({ name: "impatient" }).v("1.0.0", {
  events: { word: event<string>() },
  async handler(run) {
    const child = await survey.startAsChild(run);
    const stopped = new AbortController();
    const word = run.events.word.wait({ signal: stopped.signal });
    const first = await run.race([child.waitForStatus("completed"), run.sleep("patience", 30)]);
    stopped.abort("too late");
    const seen = await word.then(({ data }) => data).catch((reason: string) => reason);
    const end = await child.waitForStatus("completed");
    return [first, seen, (await run.events.word.wait()).data, end.success && end.state.output];
  },
});

const all = [approval, impatient, survey];

const waits = async ({ aiki }: Stage, id: string) => {
  const { status, waitsFor } = await aiki.getRun(id);
  return [status, ...waitsFor.map(({ kind, name }) => `${kind} ${name}`)];
};
const told = async (stage: Stage, id: string) =>
  (await stage.history(id)).map(({ key, value }) => `${key} ${value.state}`);

describe("a race", () => {
  it("closes what lost: neither its timer nor its place in a queue is left", async () => {
    const stage = await staged(all);
    const handle = await approval.start(stage.aiki);
    const open = ["suspended", "event yes", "event no", "sleep patience"];
    await expect.poll(() => waits(stage, handle.id), SOON).toEqual(open);
    await handle.events.no.send("later");
    await expect
      .poll(async () => (await told(stage, handle.id)).filter((one) => one.endsWith("closed")), SOON)
      .toEqual(["event:yes#0 closed", "sleep:patience#0 closed"]);
    await expect.poll(() => waits(stage, handle.id), SOON).toEqual(open);
    await handle.events.yes.send("now");
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: ["no later", "yes now"] } });
  });

  it("gives the next wait the event that filled a wait which had lost", async () => {
    const stage = await staged(all);
    const handle = await approval.start(stage.aiki);
    await expect.poll(async () => (await waits(stage, handle.id)).length, SOON).toBe(4);
    // The app takes no work until both events have been received: it sees both at once.
    await stage.app.rest();
    await handle.events.yes.send("first");
    await handle.events.no.send("second");
    // Where no worker is there to give it to, a run reads its mail when one comes.
    if (!isPulled) {
      await expect
        .poll(() => told(stage, handle.id), SOON)
        .toEqual(expect.arrayContaining(["event:yes#0 received", "event:no#0 received"]));
    }
    await stage.app.serve(all);
    expect(await handle.waitForStatus("completed")).toMatchObject({ state: { output: ["yes first", "no second"] } });
    const recorded = await told(stage, handle.id);
    expect(recorded.filter((one) => one.startsWith("event:no"))).toEqual([
      "event:no#0 waiting",
      "event:no#0 received",
      "event:no#0 closed",
      "event:no#1 waiting",
      "event:no#1 received",
    ]);
  });

  it("lets a child go on whose wait was given up, and rejects a wait whose signal aborts", async () => {
    const stage = await staged(all);
    const handle = await impatient.start(stage.aiki);
    await expect
      .poll(() => waits(stage, handle.id), SOON)
      .toEqual(["suspended", expect.stringMatching(/^child survey/)]);
    await handle.events.word.send("for the next wait");
    const { runs } = await stage.aiki.listRuns({ parent: handle.id });
    const child = await survey.getHandleById(stage.aiki, runs[0]?.id ?? "");
    await child.events.done.send("went on");
    expect(await handle.waitForStatus("completed")).toMatchObject({
      state: { output: [{ cancelled: false }, "too late", "for the next wait", "went on"] },
    });
  });
});
