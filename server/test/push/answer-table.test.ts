import { LIMITS, newId } from "@aikirun/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Doubt } from "../../src/dispatch/push.js";
import type { Exchange } from "../../src/egress/exchange.js";
import { EXCHANGES } from "./exchanges.js";
import { answered, answerTo, type Behaviour, hostileEndpoint, OWN, own, pusher, send } from "./hostile.js";

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
  ["413 of the SDK", own(413, "BODY_TOO_LARGE"), { type: "failed", code: "PAYLOAD_TOO_LARGE", reach: "refused" }],
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

describe.each(EXCHANGES)("the answer table over HTTP, on $host", ({ open }) => {
  let exchange: Exchange;
  beforeAll(async () => {
    exchange = await open();
  }, 120_000);
  afterAll(() => exchange?.close());

  it.each(TABLE.map(([what, ...row]) => ({ what, row })))("$what", async ({ row }) => {
    const [behaviour, expected, message, doubts] = row;
    const hostile = await hostileEndpoint(behaviour);
    const { push, doubts: seen } = await pusher(hostile.url, {}, {}, exchange);
    const outcome = await push();
    expect(outcome).toMatchObject(expected);
    if (message) expect((outcome as { message?: string }).message).toMatch(message);
    expect(JSON.stringify(outcome)).not.toContain("s3cr3t");
    expect(seen).toEqual(doubts ?? []);
    expect(hostile.strays).toBe(0);
  });
});
