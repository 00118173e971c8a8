import { client } from "@aikirun/client";
import { worker } from "@aikirun/worker";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it, onTestFinished } from "vitest";
import { memoryStore } from "../../../server/src/store/memory.js";
import { start } from "../../../server/test/api/server.js";
import { testDatabase } from "../../../server/test/store/database.js";

const add = task({ name: "add", handler: async (n: number) => n + 1 });
const countV1 = workflow({ name: "count" }).v("1.0.0", {
  async handler(run, input: { to: number }) {
    let n = 0;
    while (n < input.to) n = await add.start(run, n);
    const { data } = await run.events.go.wait();
    await run.sleep("nap", 20);
    return { n, data };
  },
  events: { go: event<string>() },
});

describe.each(["memory", "postgres"])("a worker on %s", (kind) => {
  it("runs", async () => {
    const database = kind === "postgres" ? await testDatabase() : undefined;
    if (database) onTestFinished(() => database.close());
    const { server } = await start(
      "dev",
      database ? { settings: { DATABASE_URL: database.url } } : { store: memoryStore() },
    );
    const aiki = client({ url: server.url });
    const running = await worker({ workflows: [countV1] }).spawn(aiki);
    onTestFinished(() => running.stop());
    const handle = await countV1.start(aiki, { to: 5 });
    await handle.events.go.send("x");
    const result = await handle.waitForStatus("completed");
    expect(result).toMatchObject({ success: true, state: { output: { n: 5, data: "x" } } });
    const early = await countV1.start(aiki, { to: 1 });
    await early.events.go.send("y");
    await running.stop();
    const second = await worker({ workflows: [countV1] }).start(aiki);
    onTestFinished(() => second.stop());
    expect(await early.waitForStatus("completed")).toMatchObject({ success: true });
  });
});
