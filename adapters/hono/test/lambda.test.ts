/** `hono/aws-lambda` turns API Gateway's events into requests; bodies of media types that it does not know come in base64. */
import { Hono } from "hono";
import { handle } from "hono/aws-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import {
  executePush,
  type Sent,
  type SigningKey,
  signedPush,
  signingKey,
} from "../../../sdk/endpoint/test/orchestrator.js";
import { probes, silent } from "../../../sdk/endpoint/test/probes.js";
import { serveAiki } from "../src/index.js";

const HOST = "abc123.execute-api.eu-central-1.amazonaws.com";
const encoded = ({ body }: Sent) => ({ body: Buffer.from(body).toString("base64"), isBase64Encoded: true });
const headersOf = ({ headers, body }: Sent) => ({
  ...headers,
  host: HOST,
  "x-forwarded-proto": "https",
  "x-forwarded-port": "443",
  "content-length": String(Buffer.byteLength(body)),
});

/** API Gateway's HTTP API and function URLs: payload format 2.0. */
const second = (sent: Sent) => ({
  version: "2.0",
  routeKey: "$default",
  rawPath: "/api/aiki",
  rawQueryString: "",
  headers: headersOf(sent),
  requestContext: {
    domainName: HOST,
    stage: "$default",
    http: { method: "POST", path: "/api/aiki", protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "aiki" },
  },
  ...encoded(sent),
});

/** API Gateway's REST API: payload format 1.0. */
const first = (sent: Sent) => ({
  version: "1.0",
  resource: "/{proxy+}",
  path: "/api/aiki",
  httpMethod: "POST",
  headers: headersOf(sent),
  multiValueHeaders: Object.fromEntries(Object.entries(headersOf(sent)).map(([name, value]) => [name, [value]])),
  queryStringParameters: null,
  multiValueQueryStringParameters: null,
  pathParameters: { proxy: "api/aiki" },
  stageVariables: null,
  requestContext: { domainName: HOST, stage: "prod", httpMethod: "POST", path: "/prod/api/aiki", identity: {} },
  ...encoded(sent),
});

describe("Hono on Lambda", () => {
  let key: SigningKey;
  beforeAll(async () => {
    key = await signingKey("Ed25519");
  });

  async function invoke(event: object, remainingMs = 29_000) {
    const app = new Hono().all("/api/aiki", serveAiki(probes, { publicKeys: key.text, logger: silent }));
    const context = { getRemainingTimeInMillis: () => remainingMs, awsRequestId: "1" };
    const answer = (await handle(app)(event as never, context as never)) as { statusCode: number; body: string };
    return { status: answer.statusCode, json: JSON.parse(answer.body) as { state?: string; error?: { code: string } } };
  }

  it.each([
    ["payload format 2.0", second, "/api/aiki"],
    ["payload format 1.0 below a stage", first, "/prod/api/aiki"],
  ] as const)("takes a push in %s", async (_name, event, path) => {
    const push = executePush({}, { input: { name: "Ada ☃ 𝔸" } });
    const { status, json } = await invoke(event(await signedPush(key, `https://${HOST}${path}`, push)));
    expect([status, json.state]).toEqual([200, "waiting"]);
  });

  it("refuses a changed body", async () => {
    const sent = await signedPush(key, `https://${HOST}/api/aiki`, executePush());
    const { status, json } = await invoke(second({ ...sent, body: (sent.body as string).replace("Ada", "Eve") }));
    expect([status, json.error?.code]).toEqual([401, "SIGNATURE_INVALID"]);
  });

  it("answers before Lambda's time is over", async () => {
    const push = executePush({ budgetMs: 600_000 }, { workflow: "patient", input: undefined });
    const { json } = await invoke(second(await signedPush(key, `https://${HOST}/api/aiki`, push)), 200);
    expect(JSON.stringify(json)).toContain('"OUT_OF_TIME"');
  });
});
