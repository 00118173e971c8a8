import { client } from "@aikirun/client";
import { event, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { startApp } from "./app.js";
import { databases } from "./databases.js";
import { start } from "./server.js";

/** What else control does is held by test/semantics, in every mode. */

const gate = workflow({ name: "gate" }).v("1", {
  handler: async (run) => (await run.events.opened.wait()).data,
  events: { opened: event<string>() },
});

const family = workflow({ name: "family" }).v("1", {
  async handler(run, children: number) {
    const started = await Promise.all(
      Array.from({ length: children }, (_, i) => gate.with("reference.id", `kid-${i}`).startAsChild(run)),
    );
    const ends = await Promise.all(started.map((child) => child.waitForStatus("completed")));
    return ends.filter(({ success }) => success).length;
  },
});

describe.each(databases)("control, through a real endpoint, %s", (_where, database) => {
  it("cancel of a parent ends 600 children, which are told by more than one commit", { timeout: 120_000 }, async () => {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [gate, family]);
    const api = client({ url: aiki.server.url });
    await api.registerEndpoint({ url: app.url });
    const parent = await family.start(api, 600);
    const children = async (wanted: string) => {
      let count = 0;
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await api.listRuns({ parent: parent.id, status: wanted, limit: 500, ...(cursor && { cursor }) });
        count += page.runs.length;
        cursor = page.next;
      }
      return count;
    };
    await expect.poll(() => children("suspended"), { timeout: 100_000 }).toBe(600);
    await parent.cancel("all of you");
    expect(await parent.waitForStatus("cancelled")).toMatchObject({ success: true });
    await expect.poll(() => children("cancelled"), { timeout: 100_000 }).toBe(600);
  });
});
