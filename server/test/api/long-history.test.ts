import { client } from "@aikirun/client";
import { LIMITS, newId } from "@aikirun/protocol";
import { worker } from "@aikirun/worker";
import { event, task, workflow } from "@aikirun/workflow";
import { expect, it, onTestFinished } from "vitest";
import { testDatabase } from "../store/database.js";
import { startApp } from "./app.js";
import { ADMIN_KEY, start } from "./server.js";

const CHARS = 1_100_000;
const TASKS = 4;

const made: number[] = [];
const large = task({
  name: "large",
  handler(input: number) {
    made.push(input);
    return String(input).repeat(CHARS);
  },
});
const hoarder = workflow({ name: "hoarder" }).v("1.0.0", {
  async handler(run) {
    let chars = 0;
    for (let i = 0; i < TASKS; i++) chars += (await large.start(run, i)).length;
    await run.events.go.wait();
    return chars;
  },
  events: { go: event() },
});

async function hoard(settings: { AIKI_CHECKPOINTS?: "on" | "off" }) {
  made.length = 0;
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const aiki = await start("dev", { settings: { DATABASE_URL: database.url, ...settings } });
  const app = await startApp(aiki.server.url, [hoarder]);
  await aiki.call("POST", "/v1/endpoints", { body: { url: app.url } });
  const id = newId("run");
  await aiki.call("POST", "/v1/runs", { body: { id, workflow: "hoarder", version: "1.0.0" } });
  const seen = async () => (await aiki.call("GET", `/v1/runs/${id}`)).json;
  return { aiki, app, id, seen };
}

it("a history that is too long for a push is read by the endpoint, also by a new one that knows nothing of it", async () => {
  const { aiki, app, id, seen } = await hoard({});
  await expect.poll(async () => (await seen()).waitsFor, { timeout: 20_000 }).toMatchObject([{ kind: "event" }]);
  // Another instance behind the same address: it has kept nothing.
  app.serve([hoarder]);
  await aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "go" } });
  const { run } = (await aiki.call("GET", `/v1/runs/${id}/wait?timeoutMs=20000`)).json;
  expect(run).toMatchObject({ status: "completed", output: TASKS * CHARS });
  expect(made).toEqual([0, 1, 2, 3]);
});

it("a worker reads it too, from where it knows the orchestrator and not from its public URL", async () => {
  made.length = 0;
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const aiki = await start("start", {
    settings: { DATABASE_URL: database.url, AIKI_PUBLIC_URL: "https://aiki.invalid" },
  });
  const url = `http://127.0.0.1:${aiki.server.port}`;
  const apiKey = ADMIN_KEY;
  let largest = 0;
  const weighing: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    largest = Math.max(largest, (await answer.clone().arrayBuffer()).byteLength);
    return answer;
  };
  const spawn = async () => {
    const running = await worker({ workflows: [hoarder] }).spawn(client({ url, apiKey, fetch: weighing }));
    onTestFinished(() => running.stop({ grace: 0 }));
    return running;
  };
  const first = await spawn();
  const runs = client({ url, apiKey });
  const { run } = await runs.startRun({ id: newId("run"), workflow: "hoarder", version: "1.0.0" });
  await expect
    .poll(async () => (await runs.getRun(run.id)).waitsFor, { timeout: 20_000 })
    .toMatchObject([{ kind: "event" }]);
  await first.stop();
  await spawn();
  await runs.sendEvent(run.id, { name: "go" });
  await expect.poll(async () => (await runs.getRun(run.id)).status, { timeout: 20_000 }).toBe("completed");
  expect(await runs.getRun(run.id)).toMatchObject({ output: TASKS * CHARS });
  expect(made).toEqual([0, 1, 2, 3]);
  expect(largest).toBeLessThan(LIMITS.bodyBytes);
});

it("without a way to read it the run says what is too large, and what to do", async () => {
  const { aiki, app, id, seen } = await hoard({ AIKI_CHECKPOINTS: "off" });
  await expect.poll(async () => (await seen()).waitsFor, { timeout: 20_000 }).toMatchObject([{ kind: "event" }]);
  app.serve([hoarder]);
  await aiki.call("POST", `/v1/runs/${id}/events`, { body: { name: "go" } });
  await expect.poll(async () => (await seen()).trouble?.code, { timeout: 20_000 }).toBe("PAYLOAD_TOO_LARGE");
  expect((await seen()).trouble?.message).toMatch(/answered 413 .* AIKI_PUBLIC_URL/);
});

it("a page of the API holds no more than it may, and the next one goes on", async () => {
  const { aiki, id, seen } = await hoard({});
  await expect.poll(async () => (await seen()).records, { timeout: 20_000 }).toBe(TASKS + 1);
  const first = (await aiki.call("GET", `/v1/runs/${id}/history`)).json as unknown as {
    records: unknown[];
    next: number;
  };
  expect(first.records.length).toBeLessThan(TASKS);
  const second = await aiki.call("GET", `/v1/runs/${id}/history?after=${first.next}`);
  expect(second.json.records[0]).toMatchObject({ n: first.next + 1 });
});
