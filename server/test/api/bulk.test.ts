import { client } from "@aikirun/client";
import { newId, type StartRunBody } from "@aikirun/protocol";
import { event, task, workflow } from "@aikirun/workflow";
import { describe, expect, it } from "vitest";
import { startApp } from "./app.js";
import { databases } from "./databases.js";
import { start } from "./server.js";

const SOON = { timeout: 60_000 };

const greet = task({ name: "greet", handler: async (name: string) => `Hello, ${name}` });
const hello = workflow({ name: "hello" }).v("1", { handler: (run, name: string) => greet.start(run, name) });
const gate = workflow({ name: "gate" }).v("1", {
  handler: async (run) => (await run.events.opened.wait()).data,
  events: { opened: event<string>() },
});

describe.each(databases)("many runs at once, through a real endpoint, %s", (_where, database) => {
  async function stage() {
    const aiki = await start("dev", await database());
    const app = await startApp(aiki.server.url, [hello, gate]);
    const api = client({ url: aiki.server.url });
    await api.registerEndpoint({ url: app.url });
    const statuses = async (workflowName: string) => {
      const counts: Record<string, number> = {};
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await api.listRuns({ workflow: workflowName, limit: 500, ...(cursor && { cursor }) });
        for (const run of page.runs) counts[run.status] = (counts[run.status] ?? 0) + 1;
        cursor = page.next;
      }
      return counts;
    };
    return { aiki, app, api, statuses };
  }

  it("starts more runs than one request holds, each with its outcome", { timeout: 120_000 }, async () => {
    const { api, statuses } = await stage();
    const names = Array.from({ length: 1_001 }, (_, i) => `n${i}`);
    const outcomes = await hello.startMany(api, names, { reference: (name) => name });
    expect(outcomes.every((one) => one.success && !one.existing)).toBe(true);
    const again = await hello.startMany(api, names.slice(0, 3), { reference: (name) => name });
    expect(again).toMatchObject([0, 1, 2].map((i) => ({ existing: true, handle: { id: idOf(outcomes[i]) } })));
    await expect.poll(() => statuses("hello"), SOON).toEqual({ completed: 1_001 });
    const last = outcomes.at(-1);
    if (last?.success) expect((await last.handle.refresh()).output).toBe("Hello, n1000");
  });

  it("starts what is right beside what is wrong", async () => {
    const { aiki, api, statuses } = await stage();
    const taken = newId("run");
    await api.startRun({ id: taken, workflow: "hello", version: "1", input: "taken", reference: { id: "taken" } });
    const good = { workflow: "hello", version: "1", input: "good" };
    const runs: unknown[] = [
      { ...good, id: newId("run") },
      { ...good, id: "run_1" },
      { ...good, id: taken },
      { ...good, reference: { id: "taken" } },
      { ...good, input: "taken", reference: { id: "taken" } },
      { ...good, colour: "red" },
      "nonsense",
      { ...good, input: "x".repeat(2 * 1024 * 1024) },
      { ...good, input: JSON.parse("[".repeat(65) + "]".repeat(65)) },
      { ...good, trigger: { type: "at", at: Date.now() + 20 * 365 * 86_400_000 } },
      { ...good, reference: { id: "twice" } },
      { ...good, reference: { id: "twice" } },
    ];
    const answer = await aiki.call("POST", "/v1/runs/batch", { body: { runs } });
    expect(answer.status).toBe(200);
    const outcomes = (answer.json.outcomes as readonly { outcome: string; error?: { code: string } }[]).map(
      ({ outcome, error }) => error?.code ?? outcome,
    );
    expect(outcomes).toEqual([
      "created",
      "INVALID_REQUEST",
      "RUN_ID_CONFLICT",
      "REFERENCE_CONFLICT",
      "existing",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "PAYLOAD_TOO_LARGE",
      "JSON_TOO_DEEP",
      "INVALID_REQUEST",
      "created",
      "existing",
    ]);
    await expect.poll(() => statuses("hello"), SOON).toEqual({ completed: 3 });
  });

  it("cancels what a filter names, more than one statement holds, and nothing else", { timeout: 120_000 }, async () => {
    const { api, statuses } = await stage();
    const trigger = { type: "delayed" as const, delayMs: 86_400_000 };
    const bodies = Array.from({ length: 1_100 }, (): StartRunBody => ({ workflow: "gate", version: "1", trigger }));
    await api.startRuns(bodies);
    const waiting = await Promise.all([gate.start(api), gate.start(api)]);
    await expect.poll(() => statuses("gate"), SOON).toEqual({ scheduled: 1_100, suspended: 2 });
    const filter = { workflow: "gate", status: ["scheduled" as const] };
    const first = await api.cancelRuns({ filter, limit: 50 });
    expect(first).toEqual({ sent: 50, duplicate: 0, next: expect.stringMatching(/^run_/) });
    const rest = await api.cancelRuns({ filter, reason: "all of them", ...(first.next && { cursor: first.next }) });
    expect(rest).toEqual({ sent: 1_050, duplicate: 0 });
    await expect.poll(() => statuses("gate"), SOON).toEqual({ cancelled: 1_100, suspended: 2 });
    expect(await api.cancelRuns({ filter: { workflow: "gate" }, reason: "and these" })).toMatchObject({ sent: 2 });
    for (const handle of waiting) {
      expect(await handle.waitForStatus("cancelled")).toMatchObject({ state: { reason: "and these" } });
    }
    expect(await api.cancelRuns({ filter: { workflow: "nothing" } })).toEqual({ sent: 0, duplicate: 0 });
    expect(await api.cancelRuns({ filter: { status: ["cancelled"] } })).toEqual({ sent: 0, duplicate: 0 });
  });

  it("takes a request that is sent again for the same", async () => {
    const { aiki, api } = await stage();
    const handle = await hello.with("trigger", { type: "delayed", delay: { days: 1 } }).start(api, "later");
    const body = { id: newId("msg"), filter: {} };
    expect((await aiki.call("POST", "/v1/runs/cancel", { body })).json).toMatchObject({ sent: 1, duplicate: 0 });
    expect(await handle.waitForStatus("cancelled")).toMatchObject({ success: true });
    expect((await aiki.call("POST", "/v1/runs/cancel", { body })).json).toMatchObject({ sent: 0 });
  });

  it("retries the failed runs of a filter, and no others, page after page", async () => {
    const { aiki, api, app, statuses } = await stage();
    const broken = workflow({ name: "hello" }).v("1", {
      handler: async (run, name: string) => {
        await greet.start(run, name);
        throw new Error("not yet");
      },
    });
    app.serve([broken, gate]);
    await gate.start(api);
    await hello.startMany(api, ["a", "b", "c", "d", "e"]);
    await expect.poll(() => statuses("hello"), SOON).toEqual({ failed: 5 });
    app.serve([hello, gate]);
    expect(await api.retryRuns({ filter: { status: ["suspended"] } })).toEqual({ sent: 0, duplicate: 0 });
    const first = await api.retryRuns({ filter: { workflow: "hello" }, limit: 2 });
    expect(first).toEqual({ sent: 2, duplicate: 0, next: expect.stringMatching(/^run_/) });
    const body = { id: newId("msg"), filter: { status: ["failed"] }, cursor: first.next };
    expect((await aiki.call("POST", "/v1/runs/retry", { body })).json).toEqual({ sent: 3, duplicate: 0 });
    await expect.poll(() => statuses("hello"), SOON).toEqual({ completed: 5 });
    expect((await aiki.call("POST", "/v1/runs/retry", { body })).json).toEqual({ sent: 0, duplicate: 0 });
    expect(await statuses("gate")).toEqual({ suspended: 1 });
  });

  it("retries no run twice under one id", async () => {
    const { api, app, statuses } = await stage();
    app.serve([workflow({ name: "gate" }).v("1", { handler: () => Promise.reject(new Error("never")) })]);
    await gate.start(api);
    await expect.poll(() => statuses("gate"), SOON).toEqual({ failed: 1 });
    const body = { id: newId("msg"), filter: {} };
    expect(await api.retryRuns(body)).toEqual({ sent: 1, duplicate: 0 });
    await expect.poll(() => statuses("gate"), SOON).toEqual({ failed: 1 });
    expect(await api.retryRuns(body)).toEqual({ sent: 0, duplicate: 1 });
  });

  it("requeues the stalled runs of a filter, and no others", async () => {
    const { api, app, statuses } = await stage();
    const handles = await Promise.all([gate.start(api), gate.start(api), gate.start(api)]);
    await expect.poll(() => statuses("gate"), SOON).toEqual({ suspended: 3 });
    const changed = workflow({ name: "gate" }).v("1", { handler: (run) => run.sleep("instead", 1) });
    app.serve([hello, changed]);
    for (const handle of handles.slice(0, 2)) await handle.events.opened.send("go");
    await expect.poll(() => statuses("gate"), SOON).toEqual({ suspended: 1, stalled: 2 });
    app.serve([hello, gate]);
    expect(await api.requeueRuns({ filter: { workflow: "gate", status: ["suspended"] } })).toMatchObject({ sent: 0 });
    expect(await api.requeueRuns({ filter: { workflow: "gate" } })).toEqual({ sent: 2, duplicate: 0 });
    await expect.poll(() => statuses("gate"), SOON).toEqual({ suspended: 1, completed: 2 });
  });
});

function idOf(outcome: { success: boolean; handle?: { id: string } } | undefined) {
  return outcome?.handle?.id;
}
