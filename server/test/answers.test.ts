import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ExecuteAnswer, type ExecuteRequest, LIMITS, type Manifest, newId } from "@aikirun/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { DeliveryOutcome } from "../src/dispatch/delivery.js";
import { openSigningKeys } from "../src/dispatch/keys.js";
import { headersPurpose } from "../src/dispatch/live-endpoint.js";
import { type Doubt, Pusher } from "../src/dispatch/push.js";
import { Endpoints } from "../src/dispatch/registry.js";
import { sealWith } from "../src/dispatch/seal.js";
import { signedPost } from "../src/dispatch/signed-post.js";
import { LOOPBACK_CIDRS } from "../src/egress/address.js";
import { SILENT } from "../src/log.js";
import { nodeExchange } from "../src/shell/node-exchange.js";
import { nodeSigner } from "../src/shell/node-signer.js";
import { memoryStore } from "../src/store/memory.js";
import type { StoredEndpoint } from "../src/store/port.js";

type Behaviour = (request: ExecuteRequest, response: ServerResponse, raw: IncomingMessage, body: string) => void;

let server: Server;
let base = "";
let behave: Behaviour = () => {};
let redirectsFollowed = 0;

beforeAll(async () => {
  server = createServer((incoming, response) => {
    if (incoming.url !== "/api/aiki") redirectsFollowed++;
    let body = "";
    incoming.setEncoding("utf8").on("data", (chunk) => {
      body += chunk;
    });
    incoming.on("end", () => behave(JSON.parse(body) as ExecuteRequest, response, incoming, body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const manifest: Manifest = {
  protocol: { min: 1, max: 1 },
  sdk: { name: "test", version: "1" },
  capabilities: { inlineCheckpoints: false, streaming: false, batch: false, maxDurationMs: 60_000 },
  workflows: [{ name: "hello", version: "1.0.0", events: [] }],
};

async function pusher(overrides: Partial<StoredEndpoint> = {}, secretHeaders: Record<string, string> = {}) {
  const store = memoryStore();
  const seal = await sealWith(new Uint8Array(32).fill(3));
  const id = newId("ep");
  const endpoint: StoredEndpoint = {
    ns: "default",
    id,
    name: "app",
    url: `${base}/api/aiki`,
    status: "healthy",
    headerNames: Object.keys(secretHeaders),
    sealedHeaders: await seal.close(JSON.stringify(secretHeaders), headersPurpose("default", id)),
    manifest,
    manifestHash: "hash-1",
    maxDurationMs: undefined,
    concurrency: 16,
    contentType: "application/vnd.aiki.v1+json",
    signatureHeader: "authorization",
    createdAt: 0,
    describedAt: 0,
    trouble: undefined,
    ...overrides,
  };
  await store.saveEndpoint(endpoint, false);
  const endpoints = new Endpoints({ store, seal, log: SILENT });
  await endpoints.refresh();
  const keys = await openSigningKeys({ store, seal, makeSigner: nodeSigner, now: Date.now });
  const exchange = nodeExchange({ policy: { allow: LOOPBACK_CIDRS, ports: [443] }, connections: 8 });
  cleanups.push(() => exchange.close());
  const doubts: Doubt[] = [];
  const delivery = new Pusher({
    endpoints,
    post: signedPost({ exchange, signer: () => keys.signer(), issuer: () => "http://localhost:9850", now: Date.now }),
    doubt: (_id, reason) => doubts.push(reason),
  });
  const route = delivery.route({ ns: "default", workflow: "hello", version: "1.0.0" } as never);
  if (!route) throw new Error("no route");
  const push = (request: ExecuteRequest = execute(), signal = new AbortController().signal) =>
    delivery.deliver(route, "default", request, signal);
  return { push, doubts, route, delivery };
}

function execute(budgetMs = 5_000): ExecuteRequest {
  return {
    type: "execute",
    pushId: newId("push"),
    fence: { epoch: 1, gen: 4, seq: 2 },
    run: {
      id: newId("run"),
      workflow: "hello",
      version: "1.0.0",
      input: { name: "Ada" },
      runAttempt: 1,
      createdAt: 1,
      options: {},
    },
    history: { records: [], head: { n: 0, hash: "0" } },
    budgetMs,
  };
}

const OWN = { "content-type": "application/json", "aiki-protocol": "1", "aiki-manifest": "hash-1" };
const answerTo = (request: ExecuteRequest): ExecuteAnswer => ({
  runId: request.run.id,
  pushId: request.pushId,
  ...request.fence,
  state: "waiting",
  commands: [{ type: "run.completed", output: "hello" }],
});
const send =
  (status: number, headers: Record<string, string>, body: string | ((request: ExecuteRequest) => string)): Behaviour =>
  (request, response) =>
    response.writeHead(status, headers).end(typeof body === "string" ? body : body(request));
const own = (status: number, code: string, more: object = {}) =>
  send(status, OWN, JSON.stringify({ error: { code, message: `it says ${code}`, ...more } }));
const answered = (change: (answer: ExecuteAnswer) => unknown) =>
  send(200, OWN, (request) => JSON.stringify(change(answerTo(request))));
const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

type Row = readonly [
  what: string,
  behaviour: Behaviour,
  outcome: Partial<Record<"type" | "code" | "reach" | "retryAfterMs", unknown>>,
  message?: RegExp | undefined,
  doubts?: readonly Doubt[] | undefined,
];

const TABLE: readonly Row[] = [
  ["a valid answer", answered((answer) => answer), { type: "answer" }],
  [
    "white space before the JSON",
    send(200, OWN, (request) => `  \n \n${JSON.stringify(answerTo(request))}`),
    { type: "answer" },
  ],
  [
    "another manifest beside a valid answer",
    send(200, { ...OWN, "aiki-manifest": "hash-2" }, (request) => JSON.stringify(answerTo(request))),
    { type: "answer" },
    undefined,
    ["changed"],
  ],
  [
    "200 without the header",
    send(200, { "content-type": "application/json" }, (request) => JSON.stringify(answerTo(request))),
    { type: "failed", code: "BAD_ANSWER", reach: "lost" },
    /without Aiki-Protocol/,
  ],
  [
    "200 with a web page",
    send(200, { "content-type": "text/html" }, "<html>"),
    { type: "failed", code: "BAD_ANSWER" },
    /text\/html/,
  ],
  [
    "another protocol version",
    send(200, { ...OWN, "aiki-protocol": "2" }, "{}"),
    { type: "failed", code: "BAD_ANSWER" },
    /version 2/,
  ],
  ["no JSON", send(200, OWN, "{"), { type: "failed", code: "BAD_ANSWER" }, /not JSON/],
  ["an empty body", send(200, OWN, ""), { type: "failed", code: "BAD_ANSWER" }],
  ["JSON of another shape", send(200, OWN, "[]"), { type: "failed", code: "BAD_ANSWER" }],
  ["an unknown field", answered((answer) => ({ ...answer, extra: 1 })), { type: "failed", code: "BAD_ANSWER" }],
  [
    "an unknown command",
    answered((answer) => ({ ...answer, commands: [{ type: "run.paused" }] })),
    { type: "failed", code: "BAD_ANSWER" },
  ],
  [
    "another run",
    answered((answer) => ({ ...answer, runId: newId("run") })),
    { type: "failed", code: "BAD_ANSWER" },
    /another run/,
  ],
  [
    "another push",
    answered((answer) => ({ ...answer, pushId: newId("push") })),
    { type: "failed", code: "BAD_ANSWER" },
    /another push/,
  ],
  [
    "another generation",
    answered((answer) => ({ ...answer, gen: 3 })),
    { type: "failed", code: "BAD_ANSWER" },
    /another fence/,
  ],
  [
    "another epoch",
    answered((answer) => ({ ...answer, epoch: 2 })),
    { type: "failed", code: "BAD_ANSWER" },
    /another fence/,
  ],
  [
    "an older sequence",
    answered((answer) => ({ ...answer, seq: 1 })),
    { type: "failed", code: "BAD_ANSWER" },
    /another fence/,
  ],
  [
    "JSON that nests too deep",
    send(200, OWN, (request) =>
      JSON.stringify({ ...answerTo(request), commands: [{ type: "run.completed", output: 0 }] }).replace(
        ":0}",
        `:${deep(80)}}`,
      ),
    ),
    { type: "failed", code: "BAD_ANSWER" },
    /deeper than 64/,
  ],
  [
    "JSON that nests just deep enough",
    send(200, OWN, (request) =>
      JSON.stringify({ ...answerTo(request), commands: [{ type: "run.completed", output: 0 }] }).replace(
        ":0}",
        `:${deep(64)}}`,
      ),
    ),
    { type: "answer" },
  ],
  ["a million brackets", send(200, OWN, "[".repeat(1_000_000)), { type: "failed", code: "BAD_ANSWER" }, /deeper/],
  [
    "bytes that are not UTF-8",
    (_request, response) => response.writeHead(200, OWN).end(Buffer.from([0x22, 0xff, 0x22])),
    { type: "failed", code: "BAD_ANSWER" },
    /UTF-8/,
  ],
  [
    "more bytes than the bound, announced",
    send(200, OWN, " ".repeat(LIMITS.bodyBytes + 1)),
    { type: "failed", code: "BAD_ANSWER" },
    /more than 4,194,304 bytes/,
  ],
  [
    "more bytes than the bound, streamed for ever",
    (_request, response) => {
      response.writeHead(200, OWN);
      const chunk = " ".repeat(65_536);
      const pour = () => {
        while (response.writable && response.write(chunk));
      };
      response.on("drain", pour).on("error", () => {});
      pour();
    },
    { type: "failed", code: "BAD_ANSWER" },
    /more than/,
  ],
  [
    "a compressed body",
    send(200, { ...OWN, "content-encoding": "gzip" }, "x"),
    { type: "failed", code: "BAD_ANSWER" },
    /content-encoding gzip/,
  ],
  [
    "too many header bytes",
    send(200, { ...OWN, "x-long": "x".repeat(40_000) }, "{}"),
    { type: "failed", code: "BAD_ANSWER" },
  ],
  [
    "something that is not HTTP",
    (_request, response) => response.socket?.write("SSH-2.0-nope\r\n\r\n"),
    { type: "failed", code: "BAD_ANSWER" },
  ],
  [
    "fewer bytes than announced",
    (_request, response) => {
      response.writeHead(200, { ...OWN, "content-length": "1000" });
      response.write("{", () => response.destroy());
    },
    { type: "failed", code: "BODY_TRUNCATED", reach: "lost" },
    /announced 1000/,
  ],
  [
    "a connection cut in the middle of chunks",
    (_request, response) => {
      response.writeHead(200, OWN);
      response.write("   ", () => response.destroy());
    },
    { type: "failed", code: "CONNECTION_LOST", reach: "lost" },
  ],
  [
    "a connection cut before the answer",
    (_request, response) => response.destroy(),
    { type: "failed", code: "CONNECTION_LOST", reach: "lost" },
  ],
  [
    "a redirect to a trailing slash",
    (_request, response) => response.writeHead(308, { location: "/api/aiki/" }).end(),
    { type: "failed", code: "REDIRECT", reach: "refused" },
    /\(308\) to http:\/\/127\.0\.0\.1:\d+\/api\/aiki\/.*Register that URL/,
    ["refused"],
  ],
  [
    "a redirect to a login page",
    send(302, { location: "/sign-in?secret=s3cr3t" }, ""),
    { type: "failed", code: "REDIRECT" },
    /to \/sign-in: exempt \/api\/aiki/,
    ["refused"],
  ],
  [
    "a redirect to another host",
    send(302, { location: "https://vercel.com/sso?x=s3cr3t" }, ""),
    { type: "failed", code: "REDIRECT" },
    /another host/,
    ["refused"],
  ],
  [
    "401 with a web page",
    send(401, { "content-type": "text/html" }, "<html>"),
    { type: "failed", code: "PROTECTED_BY_HOST", reach: "refused" },
    /with a web page before Aiki's code ran.*VERCEL_AUTOMATION_BYPASS_SECRET/,
    ["refused"],
  ],
  [
    "403 with JSON of somebody else",
    send(403, { "content-type": "application/json" }, "{}"),
    { type: "failed", code: "PROTECTED_BY_HOST", reach: "refused" },
    /Exempt \/api\/aiki/,
    ["refused"],
  ],
  [
    "404 of somebody else",
    send(404, { "content-type": "text/html" }, "<html>"),
    { type: "failed", code: "NOT_AN_ENDPOINT", reach: "refused" },
    /answered 404 without Aiki-Protocol. Is the route deployed/,
    ["refused"],
  ],
  [
    "405 of somebody else",
    send(405, {}, ""),
    { type: "failed", code: "NOT_AN_ENDPOINT", reach: "refused" },
    /exports GET but not POST/,
    ["refused"],
  ],
  ["413 of somebody else", send(413, {}, ""), { type: "failed", code: "PAYLOAD_TOO_LARGE", reach: "refused" }],
  [
    "401 of the SDK",
    own(401, "UNAUTHENTICATED_PUSH"),
    { type: "failed", code: "ENDPOINT_REFUSED", reach: "refused" },
    /401 UNAUTHENTICATED_PUSH: it says/,
    ["refused"],
  ],
  [
    "403 of the SDK",
    own(403, "AUDIENCE_MISMATCH"),
    { type: "failed", code: "ENDPOINT_REFUSED", reach: "refused" },
    /AUDIENCE_MISMATCH/,
    ["refused"],
  ],
  ["WORKFLOW_NOT_SERVED", own(404, "WORKFLOW_NOT_SERVED"), { type: "not_served" }, /it says/, ["changed"]],
  ["HISTORY_NEEDED", own(409, "HISTORY_NEEDED"), { type: "history_needed" }],
  [
    "NON_DETERMINISM",
    own(409, "NON_DETERMINISM", { divergence: { leftover: ["task a"], asked: ["task b"] } }),
    { type: "diverged" },
  ],
  ["429 with seconds", send(429, { "retry-after": "7" }, ""), { type: "busy", retryAfterMs: 7_000 }],
  ["429 for a year", send(429, { "retry-after": "31536000" }, ""), { type: "busy", retryAfterMs: 3_600_000 }],
  [
    "503 with a date",
    send(503, { date: "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:49:41 GMT" }, ""),
    { type: "busy", retryAfterMs: 4_000 },
  ],
  ["503 with nonsense", send(503, { "retry-after": "soon" }, ""), { type: "busy", retryAfterMs: 0 }],
  ["503 of the SDK, with a reason", own(503, "KEYS_UNREACHABLE"), { type: "busy" }, /KEYS_UNREACHABLE: it says/],
  [
    "500 of somebody else",
    send(500, { "content-type": "text/html" }, "<html>"),
    { type: "failed", code: "ENDPOINT_ERROR", reach: "lost" },
  ],
  [
    "500 of the SDK",
    own(500, "BODY_ALREADY_PARSED"),
    { type: "failed", code: "ENDPOINT_ERROR", reach: "lost" },
    /BODY_ALREADY_PARSED/,
  ],
  [
    "504: the host ended the invocation",
    send(504, {}, ""),
    { type: "failed", code: "ENDPOINT_TIMEOUT", reach: "timeout" },
  ],
  [
    "an error inside a 200, after white space",
    send(200, OWN, `   ${JSON.stringify({ error: { code: "HISTORY_NEEDED", message: "", httpStatus: 409 } })}`),
    { type: "history_needed" },
  ],
  [
    "an unknown error inside a 200",
    send(200, OWN, JSON.stringify({ error: { code: "INTERNAL", message: "broke" } })),
    { type: "failed", code: "ENDPOINT_ERROR", reach: "lost" },
  ],
  ["an error without a code", send(400, OWN, "{}"), { type: "failed", code: "BAD_ANSWER" }],
];

describe("the answer table over HTTP", () => {
  it.each(TABLE.map(([what, ...row]) => ({ what, row })))("$what", async ({ row }) => {
    const [behaviour, expected, message, doubts] = row;
    behave = behaviour;
    const before = redirectsFollowed;
    const { push, doubts: seen } = await pusher();
    const outcome = await push();
    expect(outcome).toMatchObject(expected);
    if (message) expect((outcome as { message?: string }).message).toMatch(message);
    expect(JSON.stringify(outcome)).not.toContain("s3cr3t");
    expect(seen).toEqual(doubts ?? []);
    expect(redirectsFollowed).toBe(before);
  });

  it("times out on an endpoint that never answers, and on one that never stops sending white space", async () => {
    const { push } = await pusher();
    const silent = execute(-9_800);
    behave = () => {};
    expect(await push(silent)).toMatchObject({ type: "failed", code: "ENDPOINT_TIMEOUT", reach: "timeout" });
    behave = (_request, response) => {
      response.writeHead(200, OWN);
      const timer = setInterval(() => response.write(" "), 10);
      response.on("close", () => clearInterval(timer));
    };
    expect(await push(execute(-9_800))).toMatchObject({ code: "ENDPOINT_TIMEOUT", reach: "timeout" });
  });

  it("stops at once when the push is called off", async () => {
    const { push } = await pusher();
    const abort = new AbortController();
    behave = () => abort.abort();
    expect(await push(execute(), abort.signal)).toMatchObject({ type: "failed", code: "ABORTED", reach: "lost" });
    expect(await push(execute(), abort.signal)).toMatchObject({ code: "ABORTED", reach: "refused" });
  });

  it("tells refused connections and unresolvable names from lost answers", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    const refused = await pusher({ url: `http://127.0.0.1:${port}/api/aiki` });
    expect(await refused.push()).toMatchObject({ code: "CONNECTION_REFUSED", reach: "refused" });
    expect(refused.doubts).toEqual(["refused"]);
    const unknown = await pusher({ url: "http://no-such-host.invalid/api/aiki" });
    expect(await unknown.push()).toMatchObject({ code: "DNS_FAILED", reach: "refused" });
    const tls = await pusher({ url: `${base.replace("http:", "https:")}/api/aiki` });
    expect(await tls.push()).toMatchObject({ code: "TLS_FAILED", reach: "refused" });
    const inside = await pusher({ url: "http://10.0.0.1:9/api/aiki" });
    expect(await inside.push()).toMatchObject({ code: "BLOCKED_ADDRESS", reach: "refused" });
  });

  it("lowers the endpoint's concurrency while it is busy and raises it again", async () => {
    const { push, route } = await pusher();
    behave = send(503, {}, "");
    for (let i = 0; i < 3; i++) await push();
    expect(route.concurrency).toBe(2);
    for (let i = 0; i < 9; i++) await push();
    expect(route.concurrency).toBe(1);
    behave = answered((answer) => answer);
    for (let i = 0; i < 3; i++) await push();
    expect(route.concurrency).toBeGreaterThan(1);
    expect(route.concurrency).toBeLessThanOrEqual(16);
  });

  it("pushes no more at a time than the endpoint allows, and lets go of who gives up waiting", async () => {
    const { push } = await pusher({ concurrency: 2 });
    let under = 0;
    let most = 0;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    behave = (request, response, raw, body) => {
      most = Math.max(most, ++under);
      // Time for a third, which must not come.
      if (under === 2) setTimeout(release, 50);
      void gate.then(() => {
        under--;
        answered((answer) => answer)(request, response, raw, body);
      });
    };
    const impatient = new AbortController();
    const pushes = Array.from({ length: 8 }, () => push());
    const gaveUp = push(execute(), impatient.signal);
    impatient.abort();
    expect(await gaveUp).toMatchObject({ code: "ABORTED", reach: "refused" });
    expect((await Promise.all(pushes)).every((outcome) => outcome.type === "answer")).toBe(true);
    expect(most).toBe(2);
  });

  it("sends what the protocol says, with the registered headers, content type and place of the signature", async () => {
    let seen: IncomingMessage | undefined;
    let text = "";
    behave = (request, response, raw, body) => {
      seen = raw;
      text = body;
      answered((answer) => answer)(request, response, raw, body);
    };
    const plain = await pusher();
    const request = execute();
    expect(await plain.push(request)).toMatchObject({ type: "answer" } satisfies Partial<DeliveryOutcome>);
    expect(JSON.parse(text)).toEqual(request);
    expect(seen?.headers).toMatchObject({
      "content-type": "application/vnd.aiki.v1+json",
      "accept-encoding": "identity",
      "aiki-protocol": "1",
    });
    expect(seen?.headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(seen?.headers["authorization"]).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);

    const moved = await pusher(
      { contentType: "application/json", signatureHeader: "aiki-signature" },
      { authorization: "Basic abc", "x-vercel-protection-bypass": "secret" },
    );
    expect(await moved.push()).toMatchObject({ type: "answer" });
    expect(seen?.headers).toMatchObject({
      "content-type": "application/json",
      authorization: "Basic abc",
      "x-vercel-protection-bypass": "secret",
    });
    expect(seen?.headers["aiki-signature"]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  it("takes the smaller of the registered and the stated time", async () => {
    expect((await pusher()).route.budgetMs).toBe(60_000);
    expect((await pusher({ maxDurationMs: 10_000 })).route.budgetMs).toBe(10_000);
    expect((await pusher({ maxDurationMs: 600_000 })).route.budgetMs).toBe(60_000);
  });
});
