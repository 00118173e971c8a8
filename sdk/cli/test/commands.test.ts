import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { aiki, ended, spawnAiki } from "./aiki.js";

// Each command is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

const RUN = `run_${"0".repeat(26)}`;
const run = {
  id: RUN,
  workflow: "hello",
  version: "1.0.0",
  status: "completed",
  createdAt: 1_000,
  endedAt: 2_500,
  input: { name: "Ada" },
  output: { greeting: "Hello, Ada!" },
  runAttempt: 1,
  records: 1,
  waitsFor: [],
};
const endpoint = {
  id: `ep_${"0".repeat(26)}`,
  name: "http://localhost:3000/api/aiki",
  url: "http://localhost:3000/api/aiki",
  status: "healthy",
  workflows: [{ name: "hello", version: "1.0.0" }],
  sdk: "@aikirun/next 0.1.0",
  maxDurationMs: 60_000,
  concurrency: 10,
  headerNames: [],
  createdAt: 0,
  describedAt: 0,
};
const served = { name: "hello", version: "1.0.0", endpoint: endpoint.name, workers: 0, events: ["paid"], live: 1 };

type Routes = Readonly<Record<string, unknown>>;
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** Answers each `METHOD /path` with the JSON of a test, or what it makes of the body, and everything else with 404. */
async function orchestrator(routes: Routes) {
  const bodies: Record<string, unknown> = {};
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const route = `${request.method} ${request.url}`;
    if (text) bodies[route] = JSON.parse(text);
    const given = routes[route];
    const answer: unknown = typeof given === "function" ? given(bodies[route]) : given;
    const missing = { error: { code: "NOT_FOUND", message: `There is no ${request.url}.` } };
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? missing));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { bodies, env: { AIKI_URL: url }, url };
}

test("runs list: a table for people, one JSON document for machines", async () => {
  const { env } = await orchestrator({ "GET /v1/runs?limit=50": { runs: [run], next: "c1" } });
  const text = await aiki(["runs", "list"], { env });
  expect(text).toMatchObject({ code: 0, stderr: "More: --cursor c1\n" });
  expect(text.stdout).toMatch(new RegExp(`^run +workflow +status.*\n${RUN}  hello@1.0.0  completed`));
  const json = await aiki(["--json", "runs", "list"], { env });
  expect(JSON.parse(json.stdout)).toEqual({ runs: [run], next: "c1" });
  expect(json.stderr).toBe("");
});

test("runs pushes: to whom, how long, what came of it; runs list --search", async () => {
  const push = {
    id: `push_${"0".repeat(26)}`,
    endpoint: { id: `ep_${"0".repeat(26)}`, name: "shop", url: "https://shop.example" },
    gen: 2,
    seq: 7,
    startedAt: 1_000,
    durationMs: 250,
    outcome: "ENDPOINT_TIMEOUT",
    message: "silence",
    delivery: 3,
    checkpoints: 4,
  };
  const { env } = await orchestrator({
    [`GET /v1/runs/${RUN}/pushes`]: { pushes: [push] },
    "GET /v1/runs?limit=50&q=order-": { runs: [run] },
  });
  const text = await aiki(["runs", "pushes", RUN], { env });
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout).toMatch(/^started .*\n.* 250 +shop +ENDPOINT_TIMEOUT +3 +4 +2\.7\n$/);
  const json = await aiki(["--json", "runs", "pushes", RUN], { env });
  expect(JSON.parse(json.stdout)).toEqual({ pushes: [push] });
  const found = await aiki(["--json", "runs", "list", "--search", "order-"], { env });
  expect(JSON.parse(found.stdout)).toEqual({ runs: [run] });
});

test("workflows get: what a version takes, as a type for people and as JSON Schema for machines", async () => {
  const input = { type: "object", properties: { name: { type: "string", minLength: 1 } }, required: ["name"] };
  const paid = { type: "object", properties: { plan: { enum: ["a", "b"] } } };
  const detail = { ...served, input, events: [{ name: "paid", schema: paid }, { name: "poked" }] };
  const { env } = await orchestrator({
    "GET /v1/workflows": { workflows: [served] },
    "GET /v1/workflows/hello/1.0.0": detail,
  });
  const text = await aiki(["workflows", "get", "hello"], { env });
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout.split("\n").map((line) => line.replace(/ {2,}/g, "  "))).toEqual([
    "workflow  hello@1.0.0",
    `endpoint  ${endpoint.name}`,
    "live  1",
    "input  { name: string (length ≥ 1) }",
    'event  paid: { plan?: "a" | "b" }',
    "event  poked: not described",
    "",
  ]);
  const json = await aiki(["--json", "workflows", "get", "hello@1.0.0"], { env });
  expect(JSON.parse(json.stdout)).toEqual(detail);
  expect(await aiki(["workflows", "get", "bye"], { env })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/Nobody serves bye\. Served: hello@1\.0\.0/),
  });
});

test("runs start finds the version, takes JSON from a pipe, and follows the run to its end", async () => {
  const { env, bodies } = await orchestrator({
    "GET /v1/workflows": { workflows: [served] },
    "POST /v1/runs": { run, existing: false },
    [`GET /v1/runs/${RUN}`]: run,
    [`GET /v1/runs/${RUN}/history`]: {
      records: [{ n: 1, kind: "run", key: "run:#0", value: { state: "completed" }, at: 2_500 }],
    },
  });
  const { code, stdout } = await aiki(["runs", "start", "hello", "--input", "-", "--watch"], {
    env,
    input: '{"name":"Ada"}',
  });
  expect(code).toBe(0);
  expect(stdout).toContain("+1.500s  ✓ run");
  expect(stdout).toContain("completed after 1.5 s");
  expect(stdout).toContain('"greeting": "Hello, Ada!"');
  expect(bodies["POST /v1/runs"]).toMatchObject({ workflow: "hello", version: "1.0.0", input: { name: "Ada" } });
});

test("runs start at a date; runs get tells when", async () => {
  const at = Date.parse("2030-01-02T03:04:05Z");
  const scheduled = { ...run, status: "scheduled", endedAt: undefined, output: undefined, nextAt: at };
  const { env, bodies } = await orchestrator({
    "GET /v1/workflows": { workflows: [served] },
    "POST /v1/runs": { run: scheduled, existing: false },
    [`GET /v1/runs/${RUN}`]: scheduled,
  });
  const utc = { ...env, TZ: "UTC" };
  expect((await aiki(["runs", "start", "hello", "--at", "2030-01-02T03:04:05Z"], { env: utc })).code).toBe(0);
  expect(bodies["POST /v1/runs"]).toMatchObject({ trigger: { type: "at", at } });
  expect((await aiki(["runs", "get", RUN], { env: utc })).stdout).toMatch(/starts +2030-01-02 03:04:05/);
});

test("watch exits with 1 when the run failed, and prints lines of JSON for machines", async () => {
  const failed = { ...run, status: "failed", output: undefined, error: { name: "Error", message: "boom" } };
  const { env } = await orchestrator({
    [`GET /v1/runs/${RUN}`]: failed,
    [`GET /v1/runs/${RUN}/history`]: { records: [] },
  });
  const { code, stdout } = await aiki(["runs", "watch", RUN, "--json"], { env });
  expect(code).toBe(1);
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([{ run: JSON.parse(JSON.stringify(failed)) }]);
});

test("Ctrl-C ends a watch with one line and no stack", async () => {
  const running = { ...run, status: "suspended", endedAt: undefined };
  const server = createServer((request, response) => {
    if (request.url?.includes("/wait")) return; // held open, as a long poll is
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(request.url?.includes("/history") ? { records: [] } : running));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  const child = spawnAiki([
    "runs",
    "watch",
    RUN,
    "--url",
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  ]);
  child.stdout?.once("data", () => child.kill("SIGINT"));
  const { code, stderr } = await ended(child);
  expect(code).toBe(130);
  expect(stderr.trim()).toBe(`The run goes on: aiki runs watch ${RUN}`);
});

test("a workflow that nobody serves is refused after every endpoint was asked again", async () => {
  const { env, bodies } = await orchestrator({
    "GET /v1/workflows": { workflows: [served] },
    "GET /v1/endpoints": { endpoints: [endpoint] },
    [`POST /v1/endpoints/${endpoint.id}/refresh`]: endpoint,
  });
  const { code, stderr } = await aiki(["runs", "start", "helo"], { env });
  expect(code).toBe(1);
  expect(stderr).toBe(
    `WORKFLOW_NOT_SERVED Nobody serves helo. Served: hello@1.0.0 (${endpoint.name}). Add it to serveAiki([...]), or name a version to let the run wait.\n`,
  );
  expect(Object.keys(bodies)).toEqual([`POST /v1/endpoints/${endpoint.id}/refresh`]);
});

test.each([
  ["pause", /^Pausing/],
  ["resume", /^Resumed/],
  ["wakeup", /^Woke/],
  ["requeue", /^Requeued/],
])("runs %s tells one run, and says so", async (verb, said) => {
  const { env, bodies } = await orchestrator({ [`POST /v1/runs/${RUN}/${verb}`]: { duplicate: false } });
  const { code, stdout } = await aiki(["runs", verb, RUN], { env });
  expect(code).toBe(0);
  expect(stdout).toMatch(said);
  expect(bodies[`POST /v1/runs/${RUN}/${verb}`]).toEqual({ id: expect.stringMatching(/^msg_/) });
});

test("runs cancel by filter goes on to the last page, under one id, and counts", async () => {
  const asked: { id: string; cursor?: string }[] = [];
  const { env } = await orchestrator({
    "POST /v1/runs/cancel": (body: { id: string; cursor?: string }) => {
      asked.push(body);
      return body.cursor === undefined ? { sent: 1_000, duplicate: 0, next: RUN } : { sent: 12, duplicate: 3 };
    },
  });
  const flags = ["--workflow", "hello", "--status", "stalled,suspended", "--created-before", "2026-11-22T08:30:00Z"];
  const text = await aiki(["runs", "cancel", ...flags, "--reason", "old", "--yes"], { env });
  expect(text).toEqual({ code: 0, stdout: "Cancelling 1015 runs.\n", stderr: "1000 runs so far\n" });
  const filter = {
    workflow: "hello",
    status: ["stalled", "suspended"],
    createdBefore: Date.parse("2026-11-22T08:30:00Z"),
  };
  const id = expect.stringMatching(/^msg_/);
  expect(asked).toEqual([
    { id, filter, limit: 1_000, reason: "old" },
    { id, filter, limit: 1_000, reason: "old", cursor: RUN },
  ]);
  expect(asked[1]?.id).toBe(asked[0]?.id);
  const json = await aiki(["runs", "cancel", "--all", "--yes", "--json"], { env });
  expect(json).toEqual({ code: 0, stdout: '{"sent":1012,"duplicate":3}\n', stderr: "" });
  expect(asked.at(-1)).toMatchObject({ filter: {} });
});

test("runs requeue by filter", async () => {
  const { env, bodies } = await orchestrator({ "POST /v1/runs/requeue": { sent: 2, duplicate: 0 } });
  const { code, stdout } = await aiki(["runs", "requeue", "--workflow", "hello", "--yes"], { env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "Requeued 2 runs.\n" });
  expect(bodies["POST /v1/runs/requeue"]).toMatchObject({ filter: { workflow: "hello" } });
});

test("runs retry by filter, and only failed ones", async () => {
  const { env, bodies } = await orchestrator({ "POST /v1/runs/retry": { sent: 2, duplicate: 1 } });
  const flags = ["--status", "failed", "--workflow", "hello", "--yes"];
  const { code, stdout } = await aiki(["runs", "retry", ...flags], { env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "Retrying 3 runs.\n" });
  const filter = { status: ["failed"], workflow: "hello" };
  expect(bodies["POST /v1/runs/retry"]).toEqual({ id: expect.stringMatching(/^msg_/), filter, limit: 1_000 });
  const refused = await aiki(["runs", "retry", "--status", "stalled", "--yes"], { env });
  expect(refused).toMatchObject({ stderr: expect.stringContaining("only failed runs are retried") });
  expect(refused.code).not.toBe(0);
});

test("endpoints register sends every flag; header values may come from the environment", async () => {
  const { env, bodies } = await orchestrator({ "POST /v1/endpoints": endpoint });
  const flags = ["--name", "shop", "--max-duration", "60s", "--concurrency", "5", "--take-over", "--check"];
  const headers = ["--header", "x-a=1", "--header", "x-bypass=env:BYPASS"];
  const where = ["--content-type", "application/json", "--signature-header", "aiki-signature"];
  const args = ["endpoints", "register", "https://app.example.com/api/aiki", ...flags, ...headers, ...where];
  expect(await aiki(args, { env: { ...env, BYPASS: "s3cret" } })).toMatchObject({ code: 0, stderr: "" });
  expect(bodies["POST /v1/endpoints"]).toEqual({
    url: "https://app.example.com/api/aiki",
    name: "shop",
    maxDurationMs: 60_000,
    concurrency: 5,
    takeOver: true,
    check: true,
    headers: { "x-a": "1", "x-bypass": "s3cret" },
    contentType: "application/json",
    signatureHeader: "aiki-signature",
  });
});

test("check sends every flag, prints what was found, and exits with 1 when traffic must not move", async () => {
  const found = {
    url: "https://next.example.com/api/aiki",
    sdk: "@aikirun/next 0.1.0",
    ok: false,
    versions: [{ name: "checkout", version: "1.0.0", live: 12_345, checked: 397 }],
    findings: [
      {
        outcome: "diverges",
        workflow: "checkout",
        version: "1.0.0",
        runs: 38,
        message: "38 of 400 runs\u001b[2J diverge.",
      },
      { outcome: "too_large", workflow: "checkout", version: "1.0.0", runs: 3, message: "3 of 400 were not checked." },
    ],
    elapsedMs: 3_200,
  };
  const { env, bodies } = await orchestrator({ "POST /v1/endpoints/check": found });
  const flags = ["--sample", "400", "--name", "shop", "--header", "x-bypass=env:BYPASS", "--concurrency", "5"];
  const where = ["--content-type", "application/json", "--signature-header", "aiki-signature"];
  const args = ["check", found.url, ...flags, ...where];
  const text = await aiki(args, { env: { ...env, BYPASS: "s3cret" } });
  expect(text).toEqual({
    code: 1,
    stderr: "",
    stdout: `https://next.example.com/api/aiki (@aikirun/next 0.1.0)
workflow        in flight  checked
checkout@1.0.0  12,345     397
✗ 38 of 400 runs [2J diverge.
! 3 of 400 were not checked.
Do not move traffic there: 397 checked in 3.2 s, no task was run. Serve the change as a new version beside the old one.
`,
  });
  expect(bodies["POST /v1/endpoints/check"]).toEqual({
    url: found.url,
    sample: 400,
    name: "shop",
    concurrency: 5,
    headers: { "x-bypass": "s3cret" },
    contentType: "application/json",
    signatureHeader: "aiki-signature",
  });
  const json = await aiki(["check", found.url, "--json"], { env });
  expect([json.code, JSON.parse(json.stdout)]).toEqual([1, found]);
  const good = await orchestrator({ "POST /v1/endpoints/check": { ...found, ok: true, findings: [] } });
  expect((await aiki(["check", found.url], { env: good.env })).code).toBe(0);
});

test("runs retry opens a failed run again; runs start takes a time limit", async () => {
  const { env, bodies } = await orchestrator({
    [`POST /v1/runs/${RUN}/retry`]: { duplicate: false },
    "POST /v1/runs": { run, existing: false },
    "GET /v1/workflows": { workflows: [served] },
  });
  expect(await aiki(["runs", "retry", RUN], { env })).toMatchObject({
    code: 0,
    stdout: `Retrying ${RUN}. Follow it with: aiki runs watch ${RUN}\n`,
  });
  expect(bodies[`POST /v1/runs/${RUN}/retry`]).toEqual({ id: expect.stringMatching(/^msg_/) });
  expect(await aiki(["runs", "start", "hello", "--timeout", "2h"], { env })).toMatchObject({ code: 0 });
  expect(bodies["POST /v1/runs"]).toMatchObject({ workflow: "hello", timeoutMs: 7_200_000 });
});

test("an endpoint is removed by its URL", async () => {
  const { env } = await orchestrator({
    "GET /v1/endpoints": { endpoints: [endpoint] },
    [`DELETE /v1/endpoints/${endpoint.id}`]: {},
  });
  expect(await aiki(["endpoints", "remove", endpoint.url], { env })).toMatchObject({
    code: 0,
    stdout: `Removed ${endpoint.name}.\n`,
  });
});

test("an error of the orchestrator is one line with its code; with --json it is JSON on standard error", async () => {
  const { env } = await orchestrator({});
  expect(await aiki(["runs", "get", "nope"], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: "NOT_FOUND There is no /v1/runs/nope.\n",
  });
  const { stderr } = await aiki(["runs", "get", "nope", "--json"], { env });
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: "NOT_FOUND" } });
});

test.each([
  [["runs", "lst"], "unknown command 'lst'"],
  [["runs", "list", "--colour"], "unknown option '--colour'"],
  [["runs", "list", "--limit", "0"], "Expected a whole number from 1 to 500."],
  [["runs", "get"], "missing required argument 'run-id'"],
  [["runs", "get", "a", "b"], "too many arguments"],
  [["runs", "cancel"], "name a run, or say which"],
  [["runs", "cancel", RUN, "--all"], "not both"],
  [["runs", "cancel", "--all"], "say --yes"],
  [["runs", "requeue", "--workflow", "w", "--json"], "say --yes"],
  [["runs", "requeue", "--status", "failed", "--yes"], "only stalled runs"],
  [["runs", "pause"], "missing required argument 'run-id'"],
  [["runs", "start", "w@1", "--input", "{name:1}"], "This is not JSON"],
  [["runs", "start", "w@1", "--at", "soon"], "Expected a date"],
  [["runs", "start", "w@1", "--at", "2030-01-01", "--delay", "1h"], "cannot be used with"],
  [["runs", "start", "w@1", "--input", "@/nowhere.json"], "Cannot read @/nowhere.json"],
  [["endpoints", "register", "https://x", "--header", "a=env:NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"],
  [["check"], "missing required argument 'url'"],
  [["check", "https://x", "--sample", "1001"], "Expected a whole number from 1 to 1000."],
  [["endpoints", "register", "https://x", "--max-duration", "60"], "Expected a number and a unit"],
  [["keys", "create", "--scope", "root"], "Allowed choices are read, write, admin"],
])("wrong usage exits with 2: aiki %j", async (args, text) => {
  const { code, stdout, stderr } = await aiki(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(text);
  expect(stderr).not.toContain("    at ");
});

test("help and version exit with 0", async () => {
  expect(await aiki(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect(await aiki(["runs", "start", "--help"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("--input <json>"),
  });
});

test("doctor says what is wrong and what to do, and exits with 1", async () => {
  const trouble = { code: "PROTECTED_BY_HOST", message: "A web page answered.", at: 1 };
  const { env, url } = await orchestrator({
    "GET /health": {},
    "GET /ready": {},
    "GET /v1/endpoints": { endpoints: [{ ...endpoint, status: "unhealthy", trouble }] },
    "GET /v1/workflows": { workflows: [{ ...served, endpoint: undefined, name: "old" }] },
  });
  const { code, stdout } = await aiki(["doctor"], { env });
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`✓ ok +orchestrator +${url}`));
  expect(stdout).toContain("is unhealthy: PROTECTED_BY_HOST A web page answered.");
  expect(stdout).toContain("Nobody serves old@1.0.0, which has 1 live runs.");
  const down = await aiki(["doctor", "--json", "--url", "http://127.0.0.1:1"]);
  expect(down.code).toBe(1);
  expect(JSON.parse(down.stdout)).toMatchObject({
    ok: false,
    findings: [
      { check: "node", ok: true },
      { check: "orchestrator", ok: false },
    ],
  });
});
