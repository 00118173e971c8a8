import { newId } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { start } from "./server.js";

const run = (more: object = {}) => ({
  id: newId("run"),
  workflow: "hello",
  version: "1.0.0",
  input: { name: "Ada" },
  ...more,
});

describe("POST /v1/runs", () => {
  it("starts a run that nobody serves: it waits and says for what", async () => {
    const { call } = await start("dev");
    const body = run();
    const started = await call("POST", "/v1/runs", { body });
    expect(started.status).toBe(201);
    expect(started.json).toMatchObject({ run: { id: body.id, workflow: "hello" }, existing: false });
    await expect
      .poll(async () => (await call("GET", `/v1/runs/${body.id}`)).json.trouble, { timeout: 20_000 })
      .toMatchObject({ code: "WORKFLOW_NOT_SERVED", message: expect.stringContaining("Nobody serves hello@1.0.0") });
  });

  it("takes the same id and body for the same request, and refuses the same id for another", async () => {
    const { call } = await start("dev");
    const body = run();
    expect((await call("POST", "/v1/runs", { body })).status).toBe(201);
    const again = await call("POST", "/v1/runs", { body });
    expect(again.status).toBe(200);
    expect(again.json).toMatchObject({ run: { id: body.id }, existing: true });
    const other = await call("POST", "/v1/runs", { body: { ...body, input: { name: "Bob" } } });
    expect([other.status, other.json.error.code]).toEqual([409, "RUN_ID_CONFLICT"]);
  });

  it("keeps a reference id to one input", async () => {
    const { call } = await start("dev");
    const first = (await call("POST", "/v1/runs", { body: run({ reference: { id: "order-1" } }) })).json.run;
    const same = await call("POST", "/v1/runs", { body: run({ reference: { id: "order-1" } }) });
    expect([same.status, same.json.run.id]).toEqual([200, first.id]);
    const other = { reference: { id: "order-1" }, input: { name: "Bob" } };
    const conflict = await call("POST", "/v1/runs", { body: run(other) });
    expect(conflict).toMatchObject({
      status: 409,
      json: { error: { code: "REFERENCE_CONFLICT", details: { runId: first.id } } },
    });
    const existing = await call("POST", "/v1/runs", {
      body: run({ ...other, reference: { id: "order-1", conflictPolicy: "return_existing" } }),
    });
    expect([existing.status, existing.json.run.id]).toEqual([200, first.id]);
    const found = await call("GET", "/v1/runs?workflow=hello&version=1.0.0&reference=order-1");
    expect(found.json.runs.map((one: { id: string }) => one.id)).toEqual([first.id]);
  });

  it("schedules a delayed start", async () => {
    const { call } = await start("dev");
    const body = run({ trigger: { type: "delayed", delayMs: 60_000 } });
    expect((await call("POST", "/v1/runs", { body })).json.run.status).toBe("scheduled");
  });
});

describe("what the API refuses before anything is stored", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const text = (input: string) => `{"workflow":"w","version":"1","input":${input}}`;
  const cases: [string, string | Uint8Array, Record<string, string>, number, string][] = [
    ["an unknown field", '{"workflow":"w","version":"1","inputs":1}', {}, 400, "INVALID_REQUEST"],
    ["a missing field", '{"workflow":"w"}', {}, 400, "INVALID_REQUEST"],
    ["a bad id", '{"id":"run_1","workflow":"w","version":"1"}', {}, 400, "INVALID_REQUEST"],
    ["a bad version", '{"workflow":"w","version":"1@2"}', {}, 400, "INVALID_REQUEST"],
    [
      "a negative delay",
      '{"workflow":"w","version":"1","trigger":{"type":"delayed","delayMs":-1}}',
      {},
      400,
      "INVALID_REQUEST",
    ],
    ["no time at all", '{"workflow":"w","version":"1","timeoutMs":0}', {}, 400, "INVALID_REQUEST"],
    [
      "a time of more than ten years",
      '{"workflow":"w","version":"1","timeoutMs":315360000001}',
      {},
      400,
      "INVALID_REQUEST",
    ],
    [
      "a policy without attempts",
      '{"workflow":"w","version":"1","retry":{"type":"fixed","delayMs":1}}',
      {},
      400,
      "INVALID_REQUEST",
    ],
    ["no JSON", "{", {}, 400, "INVALID_REQUEST"],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), {}, 400, "INVALID_REQUEST"],
    ["a form", "a=1", { "content-type": "application/x-www-form-urlencoded" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["plain text", "{}", { "content-type": "text/plain" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["too deep", text(deep(67)), {}, 400, "JSON_TOO_DEEP"],
    ["a million brackets", "[".repeat(1_000_000), {}, 400, "JSON_TOO_DEEP"],
    ["a payload over its bound", text(`"${"x".repeat(2 * 1024 * 1024)}"`), {}, 413, "PAYLOAD_TOO_LARGE"],
    ["a body over its bound", text(`"${"x".repeat(4 * 1024 * 1024)}"`), {}, 413, "BODY_TOO_LARGE"],
  ];
  it.each(cases)("%s", async (_what, raw, headers, status, code) => {
    const { call } = await start("dev");
    const answer = await call("POST", "/v1/runs", { raw, headers });
    expect([answer.status, answer.json.error.code]).toEqual([status, code]);
    expect((await call("GET", "/v1/runs")).json).toEqual({ runs: [] });
  });

  it("a body that goes on and on without saying how long it is", async () => {
    const { server } = await start("dev");
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)) });
    const answer = await fetch(`http://127.0.0.1:${server.port}/v1/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: endless,
      duplex: "half",
    } as RequestInit).catch(() => undefined);
    // The answer may be lost, because the server stops reading; the request must not go through.
    if (answer) expect(answer.status).toBe(413);
  });

  it("unknown and repeated query parameters, unknown routes and methods", async () => {
    const { call } = await start("dev");
    const codes = async (method: string, path: string) => {
      const { status, json, headers } = await call(method, path);
      return [status, json.error.code, headers["allow"]];
    };
    expect(await codes("GET", "/v1/runs?colour=red")).toEqual([400, "INVALID_REQUEST", undefined]);
    expect(await codes("GET", "/v1/runs?limit=1&limit=2")).toEqual([400, "INVALID_REQUEST", undefined]);
    expect(await codes("GET", "/v1/runs?status=done")).toEqual([400, "INVALID_REQUEST", undefined]);
    expect(await codes("GET", "/v1/runs?limit=501")).toEqual([400, "INVALID_REQUEST", undefined]);
    expect(await codes("GET", "/health?x=1")).toEqual([400, "INVALID_REQUEST", undefined]);
    expect(await codes("GET", "/v1/nothing")).toEqual([404, "NOT_FOUND", undefined]);
    expect(await codes("DELETE", "/v1/runs")).toEqual([405, "METHOD_NOT_ALLOWED", "GET, POST"]);
    expect(await codes("GET", `/v1/runs/${newId("run")}`)).toEqual([404, "NOT_FOUND", undefined]);
    expect(await codes("GET", "/v1/runs/../../etc/passwd")).toEqual([404, "NOT_FOUND", undefined]);
    expect(await codes("GET", "/v1/runs/run_1")).toEqual([400, "INVALID_REQUEST", undefined]);
  });
});

describe("looking at runs", () => {
  it("pages through them, newest first, and filters", async () => {
    const { call } = await start("dev");
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const body = run({ workflow: i % 2 ? "odd" : "even" });
      ids.unshift(body.id);
      await call("POST", "/v1/runs", { body });
    }
    const seen: string[] = [];
    for (let next: string | undefined = ""; next !== undefined; ) {
      const page = await call("GET", `/v1/runs?limit=2${next && `&cursor=${next}`}`);
      seen.push(...page.json.runs.map((one: { id: string }) => one.id));
      next = page.json.next;
    }
    expect(seen).toEqual(ids);
    expect((await call("GET", "/v1/runs?workflow=odd")).json.runs).toHaveLength(2);
    expect((await call("GET", "/v1/runs?status=completed,failed")).json.runs).toHaveLength(0);
    expect((await call("GET", "/v1/workflows")).json.workflows).toMatchObject([
      { name: "even", version: "1.0.0", workers: 0, live: 3, events: [] },
      { name: "odd", live: 2 },
    ]);
  });

  it("cancels: a waiting poll answers at once, a second cancel says that it has ended", async () => {
    const { call } = await start("dev");
    const body = run();
    await call("POST", "/v1/runs", { body });
    const startedAt = performance.now();
    const waiting = call("GET", `/v1/runs/${body.id}/wait?timeoutMs=20000`);
    const cancelled = await call("POST", `/v1/runs/${body.id}/cancel`, { body: { reason: "changed my mind" } });
    expect([cancelled.status, cancelled.json]).toEqual([202, { duplicate: false }]);
    expect((await waiting).json).toMatchObject({
      ended: true,
      run: { status: "cancelled", reason: "changed my mind" },
    });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    const again = await call("POST", `/v1/runs/${body.id}/cancel`);
    expect([again.status, again.json.error.code]).toEqual([409, "RUN_ENDED"]);
    const history = await call("GET", `/v1/runs/${body.id}/history`);
    expect(history.json.records.at(-1)).toMatchObject({ kind: "run", value: { state: "cancelled" } });
    const page = await call("GET", `/v1/runs/${body.id}/stream`);
    expect(page.text).toMatch(/event: record\ndata: .*"cancelled"/);
    expect(page.text).toMatch(/event: run\ndata: .*"status":"cancelled"/);
  });

  it("retries a failed run only, and says which status another has", async () => {
    const { call } = await start("dev");
    const body = run({ timeoutMs: 1 });
    await call("POST", "/v1/runs", { body });
    const { json: ended } = await call("GET", `/v1/runs/${body.id}/wait?timeoutMs=20000`);
    expect(ended.run).toMatchObject({ status: "failed", runAttempt: 1, error: { code: "RUN_TIMEOUT" } });
    const id = newId("msg");
    const retry = (more: object) => call("POST", `/v1/runs/${body.id}/retry`, { body: more });
    expect(await retry({ id })).toMatchObject({ status: 202, json: { duplicate: false } });
    expect(await retry({ id })).toMatchObject({ status: 202, json: { duplicate: true } });
    expect((await retry({ id: "msg_1" })).json.error.code).toBe("INVALID_REQUEST");
    expect((await retry({ from: 1 })).json.error.code).toBe("INVALID_REQUEST");
    const cancelled = run();
    await call("POST", "/v1/runs", { body: cancelled });
    await call("POST", `/v1/runs/${cancelled.id}/cancel`);
    await call("GET", `/v1/runs/${cancelled.id}/wait`);
    const refused = await call("POST", `/v1/runs/${cancelled.id}/retry`);
    expect(refused).toMatchObject({
      status: 409,
      json: { error: { code: "RUN_NOT_FAILED", details: { status: "cancelled" } } },
    });
    expect((await call("POST", `/v1/runs/${newId("run")}/retry`)).status).toBe(404);
  });

  it("answers a poll when its time is up, and when the server stops", async () => {
    const { call, server } = await start("dev");
    const body = run();
    await call("POST", "/v1/runs", { body });
    expect((await call("GET", `/v1/runs/${body.id}/wait?timeoutMs=0`)).json).toMatchObject({ ended: false });
    const waiting = call("GET", `/v1/runs/${body.id}/wait?timeoutMs=60000`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.close();
    expect((await waiting).json).toMatchObject({ ended: false });
  });
});

describe("events", () => {
  it("are taken once per id and once per reference", async () => {
    const { call } = await start("dev");
    const body = run();
    await call("POST", "/v1/runs", { body });
    const send = async (event: object) => (await call("POST", `/v1/runs/${body.id}/events`, { body: event })).json;
    const id = newId("msg");
    expect(await send({ id, name: "paid", data: 1 })).toEqual({ duplicate: false });
    expect(await send({ id, name: "paid", data: 1 })).toEqual({ duplicate: true });
    expect(await send({ id: newId("msg"), name: "paid", reference: "r" })).toEqual({ duplicate: false });
    expect(await send({ id: newId("msg"), name: "paid", reference: "r" })).toEqual({ duplicate: true });
    expect(await send({ id: newId("msg"), name: "sent", reference: "r" })).toEqual({ duplicate: false });
    expect((await call("POST", `/v1/runs/${newId("run")}/events`, { body: { name: "paid" } })).status).toBe(404);
  });

  it("go to many runs with an outcome for each, in order", async () => {
    const { call } = await start("dev");
    const [a, b, unknown] = [run({ reference: { id: "A" } }), run(), newId("run")];
    await call("POST", "/v1/runs", { body: a });
    await call("POST", "/v1/runs", { body: b });
    await call("POST", `/v1/runs/${b.id}/cancel`);
    await call("GET", `/v1/runs/${b.id}/wait`);
    const runs = [{ reference: "A" }, { id: b.id }, { id: unknown }, { reference: "Z" }];
    const event = { id: newId("msg"), name: "paid", workflow: "hello", version: "1.0.0", runs };
    expect((await call("POST", "/v1/events", { body: event })).json.outcomes).toEqual([
      { id: a.id, reference: "A", outcome: "sent" },
      { id: b.id, outcome: "ended" },
      { id: unknown, outcome: "not_found" },
      { reference: "Z", outcome: "not_found" },
    ]);
    expect((await call("POST", "/v1/events", { body: event })).json.outcomes[0]?.outcome).toBe("duplicate");
    const nameless = await call("POST", "/v1/events", { body: { name: "paid", runs: [{ reference: "A" }] } });
    expect(nameless.json.error.code).toBe("INVALID_REQUEST");
  });
});
