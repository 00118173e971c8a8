/** Every bound of the API: what lies just inside is taken, what lies just outside is refused before anything is stored. */
import { LIMITS, newId } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../src/store/memory.js";
import { type Started, start } from "./server.js";

const INVALID = [400, "INVALID_REQUEST"] as const;
const DEEP = [400, "JSON_TOO_DEEP"] as const;
const LARGE = [413, "PAYLOAD_TOO_LARGE"] as const;
const TEN_YEARS = LIMITS.durationMs;

const chars = (count: number) => "x".repeat(count);
const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));
/** A payload of so many bytes of JSON. */
const bytes = (count: number) => chars(count - 2);
const run = (more: object = {}) => ({ workflow: "w", version: "1", ...more });
const later = (more: object) => run({ trigger: { type: "delayed", delayMs: 60_000 }, ...more });
const delayed = (delayMs: unknown) => run({ trigger: { type: "delayed", delayMs } });
const dated = (at: unknown) => run({ trigger: { type: "at", at } });
const fixed = (more: object) => run({ retry: { type: "fixed", maxAttempts: 2, delayMs: 1, ...more } });
const jittered = (more: object) => run({ retry: { type: "jittered", maxAttempts: 2, baseDelayMs: 1, ...more } });

/** What stands for each: a body; the bound; what is refused as what. */
const STARTS: [string, object][] = [
  ["a workflow's name of nameChars", later({ workflow: chars(LIMITS.nameChars) })],
  ["a version of versionChars", later({ version: chars(LIMITS.versionChars) })],
  ["a reference of referenceChars", later({ reference: { id: chars(LIMITS.referenceChars) } })],
  ["a pool's name of nameChars", later({ pool: chars(LIMITS.nameChars) })],
  ["an input of payloadBytes", later({ input: bytes(LIMITS.payloadBytes) })],
  ["an input of jsonDepth levels", later({ input: nested(LIMITS.jsonDepth) })],
  ["a delay of durationMs", delayed(TEN_YEARS)],
  ["a start ten years ahead", dated(Date.now() + TEN_YEARS - 60_000)],
  ["a timeout of durationMs", later({ timeoutMs: TEN_YEARS })],
  [
    "a policy of retryAttempts",
    later({ retry: { type: "fixed", maxAttempts: LIMITS.retryAttempts, delayMs: TEN_YEARS } }),
  ],
  [
    "a policy of retryFactor",
    later({ retry: { type: "exponential", maxAttempts: 1, baseDelayMs: 0, factor: LIMITS.retryFactor } }),
  ],
];

type Refused = readonly [what: string, method: string, path: string, body: unknown, refusal: readonly [number, string]];
const RUN = "/v1/runs";
const BATCH = "/v1/runs/batch";
/** `ID` becomes a run that lives. */
const REFUSED: Refused[] = [
  ["no workflow", "POST", RUN, { version: "1" }, INVALID],
  ["an unknown field", "POST", RUN, run({ inputs: 1 }), INVALID],
  ["an id of another kind", "POST", RUN, run({ id: newId("msg") }), INVALID],
  ["an empty name", "POST", RUN, run({ workflow: "" }), INVALID],
  ["a name over nameChars", "POST", RUN, run({ workflow: chars(LIMITS.nameChars + 1) }), INVALID],
  ["a name with a control character", "POST", RUN, run({ workflow: "a\u0000b" }), INVALID],
  ["a name with half a character", "POST", RUN, run({ workflow: "a\ud800" }), INVALID],
  ["a version over versionChars", "POST", RUN, run({ version: chars(LIMITS.versionChars + 1) }), INVALID],
  ["a version with a colon", "POST", RUN, run({ version: "1:2" }), INVALID],
  ["an empty reference", "POST", RUN, run({ reference: { id: "" } }), INVALID],
  [
    "a reference over referenceChars",
    "POST",
    RUN,
    run({ reference: { id: chars(LIMITS.referenceChars + 1) } }),
    INVALID,
  ],
  ["an unknown policy of conflicts", "POST", RUN, run({ reference: { id: "a", conflictPolicy: "maybe" } }), INVALID],
  ["a pool over nameChars", "POST", RUN, run({ pool: chars(LIMITS.nameChars + 1) }), INVALID],
  ["an input over payloadBytes", "POST", RUN, run({ input: bytes(LIMITS.payloadBytes + 1) }), LARGE],
  ["an input over jsonDepth", "POST", RUN, run({ input: nested(LIMITS.jsonDepth + 1) }), DEEP],
  ["a body over bodyBytes", "POST", RUN, run({ input: bytes(LIMITS.bodyBytes) }), [413, "BODY_TOO_LARGE"]],
  ["a negative delay", "POST", RUN, delayed(-1), INVALID],
  ["a delay that is not a number", "POST", RUN, delayed(Number.NaN), INVALID],
  ["a delay of part of a millisecond", "POST", RUN, delayed(0.5), INVALID],
  ["a delay over durationMs", "POST", RUN, delayed(TEN_YEARS + 1), INVALID],
  ["a start before 1970", "POST", RUN, dated(-1), INVALID],
  ["a start at no time", "POST", RUN, dated(Number.NaN), INVALID],
  ["a start as text", "POST", RUN, dated("2030-01-01"), INVALID],
  ["a start more than ten years ahead", "POST", RUN, dated(Date.now() + TEN_YEARS + 60_000), INVALID],
  ["a start at the end of time", "POST", RUN, dated(1e300), INVALID],
  ["a negative timeout", "POST", RUN, run({ timeoutMs: -1 }), INVALID],
  ["a timeout over durationMs", "POST", RUN, run({ timeoutMs: TEN_YEARS + 1 }), INVALID],
  ["no attempts", "POST", RUN, fixed({ maxAttempts: 0 }), INVALID],
  ["attempts over retryAttempts", "POST", RUN, fixed({ maxAttempts: LIMITS.retryAttempts + 1 }), INVALID],
  ["a retry's negative delay", "POST", RUN, fixed({ delayMs: -1 }), INVALID],
  ["a retry's delay over durationMs", "POST", RUN, fixed({ delayMs: TEN_YEARS + 1 }), INVALID],
  ["a factor below 1", "POST", RUN, jittered({ factor: 0.5 }), INVALID],
  ["a factor over retryFactor", "POST", RUN, jittered({ factor: LIMITS.retryFactor + 1 }), INVALID],
  ["a jitter over 1", "POST", RUN, jittered({ jitterFactor: 1.1 }), INVALID],
  ["a batch of nothing", "POST", BATCH, { runs: [] }, INVALID],
  ["a batch over batchRuns", "POST", BATCH, { runs: Array(LIMITS.batchRuns + 1).fill(run()) }, INVALID],
  ["a body of twice jsonDepth", "POST", BATCH, { runs: [run({ input: nested(2 * LIMITS.jsonDepth) })] }, DEEP],
  ["a reason over reasonChars", "POST", "/v1/runs/ID/cancel", { reason: chars(LIMITS.reasonChars + 1) }, INVALID],
  ["a message's id of another kind", "POST", "/v1/runs/ID/pause", { id: newId("run") }, INVALID],
  ["an unknown field of a control", "POST", "/v1/runs/ID/wakeup", { reason: "no" }, INVALID],
  ["a cancel of many without a filter", "POST", "/v1/runs/cancel", {}, INVALID],
  ["an unknown field of a filter", "POST", "/v1/runs/cancel", { filter: { colour: "red" } }, INVALID],
  ["no status", "POST", "/v1/runs/cancel", { filter: { status: [] } }, INVALID],
  ["an unknown status", "POST", "/v1/runs/requeue", { filter: { status: ["done"] } }, INVALID],
  ["a limit over bulkRuns", "POST", "/v1/runs/cancel", { filter: {}, limit: LIMITS.bulkRuns + 1 }, INVALID],
  ["a limit of none", "POST", "/v1/runs/requeue", { filter: {}, limit: 0 }, INVALID],
  ["a retry of many without a filter", "POST", "/v1/runs/retry", {}, INVALID],
  ["a retry over bulkRuns", "POST", "/v1/runs/retry", { filter: {}, limit: LIMITS.bulkRuns + 1 }, INVALID],
  ["a cursor that is no run", "POST", "/v1/runs/cancel", { filter: {}, cursor: "run_1" }, INVALID],
  [
    "a reason for many over reasonChars",
    "POST",
    "/v1/runs/cancel",
    { filter: {}, reason: chars(LIMITS.reasonChars + 1) },
    INVALID,
  ],
  ["an event without a name", "POST", "/v1/runs/ID/events", {}, INVALID],
  ["an event's name over nameChars", "POST", "/v1/runs/ID/events", { name: chars(LIMITS.nameChars + 1) }, INVALID],
  [
    "an event's reference over referenceChars",
    "POST",
    "/v1/runs/ID/events",
    { name: "a", reference: chars(LIMITS.referenceChars + 1) },
    INVALID,
  ],
  [
    "an event over payloadBytes",
    "POST",
    "/v1/runs/ID/events",
    { name: "a", data: bytes(LIMITS.payloadBytes + 1) },
    LARGE,
  ],
  ["an event over jsonDepth", "POST", "/v1/runs/ID/events", { name: "a", data: nested(LIMITS.jsonDepth + 1) }, DEEP],
  ["an event to nobody", "POST", "/v1/events", { name: "a", runs: [] }, INVALID],
  [
    "an event to more than batchRuns",
    "POST",
    "/v1/events",
    { name: "a", runs: Array(LIMITS.batchRuns + 1).fill({ id: newId("run") }) },
    INVALID,
  ],
  ["an event by reference without a version", "POST", "/v1/events", { name: "a", runs: [{ reference: "r" }] }, INVALID],
  ["a page over pageRows", "GET", `/v1/runs?limit=${LIMITS.pageRows + 1}`, undefined, INVALID],
  ["a page of none", "GET", "/v1/runs?limit=0", undefined, INVALID],
  ["a cursor over cursorChars", "GET", `/v1/runs?cursor=${chars(LIMITS.cursorChars + 1)}`, undefined, INVALID],
  ["a history's page over commands", "GET", `/v1/runs/ID/history?limit=${LIMITS.commands + 1}`, undefined, INVALID],
  ["a wait over waitMs", "GET", `/v1/runs/ID/wait?timeoutMs=${LIMITS.waitMs + 1}`, undefined, INVALID],
  ["a negative wait", "GET", "/v1/runs/ID/wait?timeoutMs=-1", undefined, INVALID],
  ["a URL over urlChars", "POST", "/v1/endpoints", { url: `https://a.example/${chars(LIMITS.urlChars)}` }, INVALID],
  [
    "an endpoint's name over nameChars",
    "POST",
    "/v1/endpoints",
    { url: "https://a.example/", name: chars(LIMITS.nameChars + 1) },
    INVALID,
  ],
  [
    "headers over endpointHeaders",
    "POST",
    "/v1/endpoints",
    {
      url: "https://a.example/",
      headers: Object.fromEntries(Array.from({ length: LIMITS.endpointHeaders + 1 }, (_, i) => [`x-${i}`, "1"])),
    },
    INVALID,
  ],
  [
    "a header over headerChars",
    "POST",
    "/v1/endpoints",
    { url: "https://a.example/", headers: { "x-a": chars(LIMITS.headerChars + 1) } },
    INVALID,
  ],
  [
    "invocations over invocationMs",
    "POST",
    "/v1/endpoints",
    { url: "https://a.example/", maxDurationMs: LIMITS.invocationMs + 1 },
    INVALID,
  ],
  ["invocations of no time", "POST", "/v1/endpoints", { url: "https://a.example/", maxDurationMs: 0 }, INVALID],
  [
    "pushes over endpointConcurrency",
    "POST",
    "/v1/endpoints",
    { url: "https://a.example/", concurrency: LIMITS.endpointConcurrency + 1 },
    INVALID,
  ],
  ["a key's name over nameChars", "POST", "/v1/keys", { name: chars(LIMITS.nameChars + 1) }, INVALID],
  ["a namespace in capitals", "POST", "/v1/keys", { namespace: "A" }, INVALID],
];

async function withRun(): Promise<Started & { readonly id: string; readonly store: ReturnType<typeof memoryStore> }> {
  const store = memoryStore();
  const aiki = await start("dev", { store });
  const id = newId("run");
  await aiki.call("POST", RUN, { body: later({ id }) });
  return { ...aiki, id, store };
}

describe("just inside its bounds", () => {
  it.each(STARTS)("%s is taken", async (_what, body) => {
    const { call } = await start("dev");
    const answer = await call("POST", RUN, { body });
    expect([answer.status, answer.json.error]).toEqual([201, undefined]);
    expect(answer.json.run.status).toBe("scheduled");
  });
});

describe("just outside its bounds", () => {
  it("everything is refused with its code, and nothing is stored", async () => {
    const { call, id, store } = await withRun();
    for (const [what, method, path, body, [status, code]] of REFUSED) {
      const answer = await call(method, path.replace("ID", id), body === undefined ? {} : { body });
      expect([what, answer.status, answer.json.error?.code]).toEqual([what, status, code]);
      expect(answer.json.error.message).toMatch(/[.!]$/);
    }
    expect((await call("GET", RUN)).json.runs).toMatchObject([{ id, status: "scheduled" }]);
    expect(await store.readMail("default", id, 0)).toEqual([]);
    expect(await store.listEndpoints()).toEqual([]);
    expect(await store.listKeys(undefined)).toEqual([]);
  });

  it("the event that is one too many in a mailbox is refused, to one run and to many", async () => {
    const { call, id, store } = await withRun();
    const send = (n: number) => call("POST", `/v1/runs/${id}/events`, { body: { name: "a", data: n } });
    const sent = await Promise.all(Array.from({ length: LIMITS.queuedEvents }, (_, n) => send(n)));
    expect(new Set(sent.map(({ status }) => status))).toEqual(new Set([200]));
    const over = await send(0);
    expect([over.status, over.json.error.code]).toEqual([429, "TOO_MANY_QUEUED_EVENTS"]);
    const many = await call("POST", "/v1/events", { body: { name: "a", runs: [{ id }, { id: newId("run") }] } });
    expect(many.json.outcomes.map(({ outcome }) => outcome)).toEqual(["too_many_queued", "not_found"]);
    expect(await store.readMail("default", id, 0)).toHaveLength(LIMITS.queuedEvents);
    expect((await call("POST", `/v1/runs/${id}/cancel`)).status).toBe(202);
  });
});
