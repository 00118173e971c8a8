import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Exchange } from "../../src/egress/exchange.js";
import { EXCHANGES } from "./exchanges.js";
import { answered, execute, hostileEndpoint, OWN, pusher, send } from "./hostile.js";
import { workersExchange } from "./workers-exchange.js";

describe.each(EXCHANGES)("an exchange on $host", ({ host, open }) => {
  let exchange: Exchange;
  beforeAll(async () => {
    exchange = await open();
  }, 120_000);
  afterAll(() => exchange?.close());
  const pushes = (url: string) => pusher(url, {}, {}, exchange);

  it("times out on an endpoint that never answers, and on one that never stops sending white space", async () => {
    const endpoint = await hostileEndpoint();
    const { push } = await pushes(endpoint.url);
    const silent = execute(-9_800);
    endpoint.behave = () => {};
    expect(await push(silent)).toMatchObject({ type: "failed", code: "ENDPOINT_TIMEOUT", reach: "timeout" });
    endpoint.behave = (_request, response) => {
      response.writeHead(200, OWN);
      const timer = setInterval(() => response.write(" "), 10);
      response.on("close", () => clearInterval(timer));
    };
    expect(await push(execute(-9_800))).toMatchObject({ code: "ENDPOINT_TIMEOUT", reach: "timeout" });
  });

  it("stops at once when the push is called off", async () => {
    const endpoint = await hostileEndpoint();
    const { push } = await pushes(endpoint.url);
    const abort = new AbortController();
    endpoint.behave = () => abort.abort();
    expect(await push(execute(), abort.signal)).toMatchObject({ type: "failed", code: "ABORTED", reach: "lost" });
    expect(await push(execute(), abort.signal)).toMatchObject({ code: "ABORTED", reach: "refused" });
  });

  it("tells refused connections and unresolvable names from lost answers", async () => {
    const endpoint = await hostileEndpoint();
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    const refused = await pushes(`http://127.0.0.1:${port}/api/aiki`);
    // Cloudflare's runtime does not tell why there was no answer; its network does (below).
    const outcome = (code: string) =>
      host === "node" ? { code, reach: "refused" } : { code: "CONNECTION_LOST", reach: "lost" };
    expect(await refused.push()).toMatchObject(outcome("CONNECTION_REFUSED"));
    expect(refused.doubts).toEqual(host === "node" ? ["refused"] : []);
    const unknown = await pushes("http://no-such-host.invalid/api/aiki");
    expect(await unknown.push()).toMatchObject(outcome("DNS_FAILED"));
    const tls = await pushes(endpoint.url.replace("http:", "https:"));
    expect(await tls.push()).toMatchObject(outcome("TLS_FAILED"));
    endpoint.behave = (_request, response) => void response.socket?.write("SSH-2.0-nope\r\n\r\n");
    const gibberish = host === "node" ? "BAD_ANSWER" : "CONNECTION_LOST";
    expect(await (await pushes(endpoint.url)).push()).toMatchObject({ code: gibberish, reach: "lost" });
    const inside = await pushes("http://10.0.0.1:9/api/aiki");
    expect(await inside.push()).toMatchObject({ code: "BLOCKED_ADDRESS", reach: "refused" });
  });
});

describe("what Cloudflare's network answers for a server that it does not reach", () => {
  let exchange: Exchange;
  beforeAll(async () => {
    exchange = await workersExchange();
  }, 120_000);
  afterAll(() => exchange?.close());

  it.each([
    [520, "CONNECTION_LOST", "lost"],
    [521, "CONNECTION_REFUSED", "refused"],
    [522, "CONNECTION_REFUSED", "refused"],
    [523, "CONNECTION_REFUSED", "refused"],
    [525, "TLS_FAILED", "refused"],
    [526, "TLS_FAILED", "refused"],
    [530, "DNS_FAILED", "refused"],
  ])("%i is %s", async (status, code, reach) => {
    const endpoint = await hostileEndpoint(send(status, {}, "error code"));
    const { push } = await pusher(endpoint.url, {}, {}, exchange);
    expect(await push()).toMatchObject({ type: "failed", code, reach });
    // The SDK's own answer is none of Cloudflare's.
    endpoint.behave = send(status, OWN, JSON.stringify({ error: { code: "INTERNAL", message: "broke" } }));
    expect(await push()).toMatchObject({ type: "failed", code: "ENDPOINT_ERROR", reach: "lost" });
  });
});

describe("a delivery", () => {
  it("lowers the endpoint's concurrency while it is busy and raises it again", async () => {
    const endpoint = await hostileEndpoint();
    const { push, route } = await pusher(endpoint.url);
    endpoint.behave = send(503, {}, "");
    for (let i = 0; i < 3; i++) await push();
    expect(route.concurrency).toBe(2);
    for (let i = 0; i < 9; i++) await push();
    expect(route.concurrency).toBe(1);
    endpoint.behave = answered((answer) => answer);
    for (let i = 0; i < 3; i++) await push();
    expect(route.concurrency).toBeGreaterThan(1);
    expect(route.concurrency).toBeLessThanOrEqual(16);
  });

  it("pushes no more at a time than the endpoint allows, and lets go of who gives up waiting", async () => {
    const endpoint = await hostileEndpoint();
    const { push } = await pusher(endpoint.url, { concurrency: 2 });
    let under = 0;
    let most = 0;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    endpoint.behave = (request, response, raw, body) => {
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
    const endpoint = await hostileEndpoint();
    let seen: IncomingMessage | undefined;
    let text = "";
    endpoint.behave = (request, response, raw, body) => {
      seen = raw;
      text = body;
      answered((answer) => answer)(request, response, raw, body);
    };
    const plain = await pusher(endpoint.url);
    const request = execute();
    expect(await plain.push(request)).toMatchObject({ type: "answer" });
    expect(JSON.parse(text)).toEqual(request);
    expect(seen?.headers).toMatchObject({
      "content-type": "application/vnd.aiki.v1+json",
      "accept-encoding": "identity",
      "aiki-protocol": "1",
    });
    expect(seen?.headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(seen?.headers["authorization"]).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);

    const moved = await pusher(
      endpoint.url,
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
    const endpoint = await hostileEndpoint();
    expect((await pusher(endpoint.url)).route.budgetMs).toBe(60_000);
    expect((await pusher(endpoint.url, { maxDurationMs: 10_000 })).route.budgetMs).toBe(10_000);
    expect((await pusher(endpoint.url, { maxDurationMs: 600_000 })).route.budgetMs).toBe(60_000);
  });
});
