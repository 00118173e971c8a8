import { LIMITS, type StartRunBody } from "@aikirun/protocol";
import { afterEach, expect, test } from "vitest";
import { client } from "../src/index.js";
import { answer, orchestrator, type Respond } from "./orchestrator.js";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function serve(respond: Respond) {
  const server = await orchestrator(respond);
  stops.push(server.stop);
  return { ...server, aiki: client({ url: server.url }) };
}

const runsOf = (request: { body: unknown }) => (request.body as { runs: StartRunBody[] }).runs;
const accept: Respond = (request, response) =>
  answer(response, 200, {
    outcomes: runsOf(request).map(({ id, workflow, version }) => ({
      outcome: "created",
      run: { id, workflow, version, status: "queued", createdAt: 1 },
    })),
  });
const body = (input: unknown = 1) => ({ workflow: "w", version: "1", input }) as StartRunBody;

test("more runs than one request holds go in several, their outcomes in order", async () => {
  const { aiki, seen } = await serve(accept);
  const outcomes = await aiki.startRuns(Array.from({ length: 2 * LIMITS.batchRuns + 1 }, (_, i) => body(i)));
  expect(seen.map((request) => runsOf(request).length)).toEqual([LIMITS.batchRuns, LIMITS.batchRuns, 1]);
  const ids = seen.flatMap((request) => runsOf(request).map(({ id }) => id));
  expect(outcomes.map((one) => one.outcome === "created" && one.run.id)).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  expect(await aiki.startRuns([])).toEqual([]);
});

test("requests stay within the bytes that one may have", async () => {
  const { aiki, seen } = await serve(accept);
  const megabyte = "é".repeat(500_000);
  await aiki.startRuns(Array.from({ length: 9 }, () => body(megabyte)));
  expect(seen.map((request) => runsOf(request).length)).toEqual([4, 4, 1]);
  for (const request of seen) {
    expect(new TextEncoder().encode(JSON.stringify(request.body)).length).toBeLessThanOrEqual(LIMITS.bodyBytes);
  }
});

test("what JSON cannot hold is not sent, and keeps no other from starting", async () => {
  const { aiki, seen } = await serve(accept);
  const outcomes = await aiki.startRuns([body(1), body(() => 1), body("x".repeat(LIMITS.payloadBytes)), body(2)]);
  expect(outcomes).toMatchObject([
    { outcome: "created" },
    { outcome: "error", error: { code: "NOT_SERIALIZABLE" } },
    { outcome: "error", error: { code: "PAYLOAD_TOO_LARGE" } },
    { outcome: "created" },
  ]);
  expect(seen.map((request) => runsOf(request).map(({ input }) => input))).toEqual([[1, 2]]);
});

test("a lost answer starts nothing twice: the retry carries the same ids", async () => {
  const { aiki, seen } = await serve((request, response, count) =>
    count === 1 ? void response.destroy() : accept(request, response, count),
  );
  await aiki.startRuns([body(), body()]);
  expect(seen[1]?.body).toEqual(seen[0]?.body);
});

test("a refused run is an error as a single start would throw it", async () => {
  const error = { code: "REFERENCE_CONFLICT", message: "taken", details: { runId: "run_1" } };
  const { aiki } = await serve((_request, response) =>
    answer(response, 200, { outcomes: [{ outcome: "error", error }] }),
  );
  const [outcome] = await aiki.startRuns([body()]);
  expect(outcome).toMatchObject({ outcome: "error", error: { name: "AikiError", ...error } });
});

test("the details of an error are the orchestrator's own", async () => {
  const error = { code: "RUN_ENDED", message: "over", details: { status: "completed" } };
  const { aiki } = await serve((_request, response) => answer(response, 409, { error }));
  await expect(aiki.pauseRun("run_1")).rejects.toMatchObject({
    code: "RUN_ENDED",
    details: { status: "completed", httpStatus: 409 },
  });
});
