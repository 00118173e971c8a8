import { afterEach, expect, test, vi } from "vitest";
import { client } from "../src/index.js";
import { answer, orchestrator, type Respond } from "./orchestrator.js";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const stop of stops.splice(0)) await stop();
});

async function serve(respond: Respond) {
  const server = await orchestrator(respond);
  stops.push(server.stop);
  return { ...server, aiki: client({ url: server.url }) };
}

const summary = (id: string) => ({ id, workflow: "w", version: "1.0.0", status: "queued", createdAt: 1 });

test("a lost answer starts one run: the retry carries the same id and body", async () => {
  const runs = new Map<string, unknown>();
  const { aiki, seen } = await serve((request, response, count) => {
    const body = request.body as { id: string };
    const existing = runs.has(body.id);
    runs.set(body.id, request.body);
    if (count <= 2) return void response.destroy(); // processed, and nobody hears of it
    answer(response, existing ? 200 : 201, { run: summary(body.id), existing });
  });
  const result = await aiki.startRun({ workflow: "w", version: "1.0.0", input: { a: 1 } });
  expect(runs.size).toBe(1);
  expect(seen).toHaveLength(3);
  expect(seen[2]?.body).toEqual(seen[0]?.body);
  expect(result.run.id).toMatch(/^run_[0-9a-hjkmnp-tv-z]{26}$/);
});

test("an event that is sent again after half an answer is the same event", async () => {
  const ids = new Set<unknown>();
  const { aiki } = await serve((request, response, count) => {
    ids.add((request.body as { id: string }).id);
    if (count === 1) {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
      response.write('{"dupl');
      return void setImmediate(() => response.destroy());
    }
    answer(response, 200, { duplicate: count > 1 });
  });
  expect(await aiki.sendEvent("run_1", { name: "paid" })).toEqual({ duplicate: true });
  expect(ids.size).toBe(1);
});

test("503 and 429 are tried again, not before Retry-After", async () => {
  const at: number[] = [];
  const { aiki } = await serve((_, response, count) => {
    at.push(performance.now());
    if (count === 1) return answer(response, 503, { error: { code: "DATABASE_UNAVAILABLE", message: "away" } });
    if (count === 2)
      return answer(response, 429, { error: { code: "OVERLOADED", message: "busy" } }, { "retry-after": "1" });
    answer(response, 200, { runs: [] });
  });
  expect(await aiki.listRuns()).toEqual({ runs: [] });
  expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThanOrEqual(995);
});

test("an error of the orchestrator keeps its code, and is not tried again", async () => {
  const { aiki, seen } = await serve((_, response) =>
    answer(response, 409, {
      error: { code: "REFERENCE_CONFLICT", message: "other input", details: { runId: "run_1" } },
    }),
  );
  const start = aiki.startRun({ workflow: "w", version: "1", reference: { id: "r" } });
  await expect(start).rejects.toMatchObject({
    code: "REFERENCE_CONFLICT",
    message: "other input",
    details: { runId: "run_1" },
  });
  expect(seen).toHaveLength(1);
});

test("retries are bounded", async () => {
  const server = await serve((_, response) =>
    answer(response, 503, { error: { code: "OVERLOADED", message: "busy" } }),
  );
  await expect(client({ url: server.url, maxAttempts: 2 }).listWorkflows()).rejects.toMatchObject({
    code: "OVERLOADED",
  });
  expect(server.seen).toHaveLength(2);
});

test("a cancel whose first answer was lost resolves, although the run has ended by it", async () => {
  const { aiki, seen } = await serve((_, response, count) => {
    if (count === 1) return void response.destroy();
    answer(response, 409, { error: { code: "RUN_ENDED", message: "cancelled" } });
  });
  await aiki.cancelRun("run_1", { reason: "why" });
  expect(seen.map((request) => request.body)).toEqual([seen[0]?.body, seen[0]?.body]);
});

test("a retry whose first answer was lost is sent again under the same id; details tell the run's status", async () => {
  const { aiki, seen } = await serve((_, response, count) => {
    if (count === 1) return void response.destroy();
    if (count === 2) return answer(response, 202, { duplicate: true });
    answer(response, 409, { error: { code: "RUN_NOT_FAILED", message: "no", details: { status: "completed" } } });
  });
  await aiki.retryRun("run_1");
  expect(seen.map(({ body }) => body)).toEqual([seen[0]?.body, seen[0]?.body]);
  await expect(aiki.retryRun("run_1", { id: "msg_1" })).rejects.toMatchObject({
    code: "RUN_NOT_FAILED",
    details: { status: "completed", httpStatus: 409 },
  });
});

test("a key is made once: creating one is never sent again", async () => {
  const { aiki, seen } = await serve((_, response) => void response.destroy());
  await expect(aiki.createKey({})).rejects.toMatchObject({ code: "ORCHESTRATOR_UNREACHABLE" });
  expect(seen).toHaveLength(1);
});

test("nobody there: one clear text", async () => {
  const server = await serve(() => {});
  await server.stop();
  await expect(client({ url: server.url, maxAttempts: 1 }).listWorkflows()).rejects.toMatchObject({
    code: "ORCHESTRATOR_UNREACHABLE",
    message: `Cannot reach ${server.url} (ECONNREFUSED). Start it with \`npx aiki dev\`, or set AIKI_URL.`,
  });
});

test("a server that never answers ends at the time limit", async () => {
  const server = await serve(() => {});
  const patient = client({ url: server.url, maxAttempts: 1, timeoutMs: 50 });
  await expect(patient.listWorkflows()).rejects.toMatchObject({
    message: expect.stringContaining("no answer within 50 ms"),
  });
});

test("401 says what is wrong with the key", async () => {
  const server = await serve((_, response) =>
    answer(response, 401, { error: { code: "UNAUTHORIZED", message: "no key" } }),
  );
  await expect(server.aiki.listWorkflows()).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    message: expect.stringContaining("AIKI_API_KEY is missing"),
  });
  await expect(client({ url: server.url, apiKey: "k" }).listWorkflows()).rejects.toMatchObject({
    message: expect.stringContaining("AIKI_API_KEY is revoked"),
  });
});

test("a web page or a redirect is not an orchestrator", async () => {
  const { aiki } = await serve((request, response) => {
    if (request.url === "/v1/workflows") response.writeHead(200, { "content-type": "text/html" }).end("<html>");
    else response.writeHead(308, { location: "https://elsewhere.example/" }).end();
  });
  await expect(aiki.listWorkflows()).rejects.toMatchObject({
    code: "BAD_RESPONSE",
    message: expect.stringContaining("text/html"),
  });
  await expect(aiki.listRuns()).rejects.toMatchObject({
    message: expect.stringContaining("https://elsewhere.example/"),
  });
});

test("what JSON cannot hold is refused before anything is sent", async () => {
  const { aiki, seen } = await serve(() => {});
  const input = { items: [{ n: 1n }] } as unknown as null;
  await expect(aiki.startRun({ workflow: "checkout", version: "1", input })).rejects.toMatchObject({
    code: "NOT_SERIALIZABLE",
    message: expect.stringContaining("$.items[0].n is a bigint"),
  });
  expect(seen).toHaveLength(0);
});

test("the key and the URL come from the environment, and names in paths are encoded", async () => {
  const server = await serve((_, response) => answer(response, 200, { run: 1 }));
  vi.stubEnv("AIKI_URL", `${server.url}/`);
  vi.stubEnv("AIKI_API_KEY", "secret");
  await client().getRun("a/b?c");
  expect(server.seen[0]?.url).toBe("/v1/runs/a%2Fb%3Fc");
  expect(server.seen[0]?.headers.authorization).toBe("Bearer secret");
});

test("in production nothing is guessed, and only the first request says so", async () => {
  vi.stubEnv("NODE_ENV", "production");
  vi.stubEnv("AIKI_URL", "");
  const aiki = client();
  await expect(aiki.listWorkflows()).rejects.toMatchObject({
    code: "SETTING_INVALID",
    message: expect.stringContaining("AIKI_URL"),
  });
});

test.each([
  [{ url: "localhost:9850" }, "url"],
  [{ url: "https://user:pw@host" }, "credentials"],
  [{ apiKey: "two words" }, "apiKey"],
  [{ maxAttempts: 0 }, "maxAttempts"],
  [{ timeout: 5 } as object, "timeout"],
])("a wrong option is refused at once: %j", (options, named) => {
  expect(() => client(options)).toThrowError(
    expect.objectContaining({ code: "SETTING_INVALID", message: expect.stringContaining(named) }),
  );
});
