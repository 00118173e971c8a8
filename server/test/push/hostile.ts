/** An HTTP server that answers a push in every wrong way, and the real thing that pushes to it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ExecuteAnswer, type ExecuteRequest, type Manifest, newId } from "@aikirun/protocol";
import { onTestFinished } from "vitest";
import type { DeliveryOutcome, Route } from "../../src/dispatch/delivery.js";
import { openSigningKeys } from "../../src/dispatch/keys.js";
import { headersPurpose } from "../../src/dispatch/live-endpoint.js";
import { type Doubt, Pusher } from "../../src/dispatch/push.js";
import { Endpoints } from "../../src/dispatch/registry.js";
import { sealWith } from "../../src/dispatch/seal.js";
import { signedPost } from "../../src/dispatch/signed-post.js";
import { LOOPBACK_CIDRS } from "../../src/egress/address.js";
import type { Exchange } from "../../src/egress/exchange.js";
import { SILENT } from "../../src/log.js";
import { nodeExchange } from "../../src/shell/node-exchange.js";
import { nodeSigner } from "../../src/shell/node-signer.js";
import { memoryStore } from "../../src/store/memory.js";
import type { StoredEndpoint } from "../../src/store/port.js";

export type Behaviour = (request: ExecuteRequest, response: ServerResponse, raw: IncomingMessage, body: string) => void;

export interface Hostile {
  readonly url: string;
  behave: Behaviour;
  /** Requests to any other path: redirects that were followed. */
  strays: number;
}

export async function hostileEndpoint(behave: Behaviour = () => {}): Promise<Hostile> {
  const server = createServer((incoming, response) => {
    if (incoming.url !== "/api/aiki") hostile.strays++;
    let body = "";
    incoming.setEncoding("utf8").on("data", (chunk) => {
      body += chunk;
    });
    incoming.on("end", () => hostile.behave(JSON.parse(body) as ExecuteRequest, response, incoming, body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const hostile: Hostile = { url: `http://127.0.0.1:${port}/api/aiki`, behave, strays: 0 };
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return hostile;
}

export interface Pushing {
  push(request?: ExecuteRequest, signal?: AbortSignal): Promise<DeliveryOutcome>;
  readonly doubts: readonly Doubt[];
  readonly route: Route;
}

const manifest: Manifest = {
  protocol: { min: 1, max: 1 },
  sdk: { name: "test", version: "1" },
  capabilities: { inlineCheckpoints: false, streaming: false, batch: false, maxDurationMs: 60_000 },
  workflows: [{ name: "hello", version: "1.0.0", events: [] }],
};

/** Pushes to an endpoint that is registered as `overrides` say, with everything real in between. */
export async function pusher(
  url: string,
  overrides: Partial<StoredEndpoint> = {},
  secretHeaders: Record<string, string> = {},
  exchange: Exchange = ownExchange(),
): Promise<Pushing> {
  const store = memoryStore();
  const seal = await sealWith(new Uint8Array(32).fill(3));
  const id = newId("ep");
  const endpoint: StoredEndpoint = {
    ns: "default",
    id,
    name: "app",
    url,
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
  const doubts: Doubt[] = [];
  const delivery = new Pusher({
    endpoints,
    post: signedPost({ exchange, signer: () => keys.signer(), issuer: () => "http://localhost:9850", now: Date.now }),
    doubt: (_id, reason) => doubts.push(reason),
  });
  const route = delivery.route({ ns: "default", workflow: "hello", version: "1.0.0" } as never);
  if (!route) throw new Error("no route");
  return {
    push: (request = execute(), signal = new AbortController().signal) =>
      delivery.deliver(route, "default", request, signal),
    doubts,
    route,
  };
}

function ownExchange(): Exchange {
  const exchange = nodeExchange({ policy: { allow: LOOPBACK_CIDRS, ports: [443] }, connections: 8 });
  onTestFinished(() => exchange.close());
  return exchange;
}

export function execute(budgetMs = 5_000): ExecuteRequest {
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

/** The headers of the SDK's own answers. */
export const OWN = { "content-type": "application/json", "aiki-protocol": "1", "aiki-manifest": "hash-1" };

export const answerTo = (request: ExecuteRequest): ExecuteAnswer => ({
  runId: request.run.id,
  pushId: request.pushId,
  ...request.fence,
  state: "waiting",
  commands: [{ type: "run.completed", output: "hello" }],
});

export const send =
  (status: number, headers: Record<string, string>, body: string | ((request: ExecuteRequest) => string)): Behaviour =>
  (request, response) =>
    response.writeHead(status, headers).end(typeof body === "string" ? body : body(request));

/** An error that the SDK itself answers with. */
export const own = (status: number, code: string, more: object = {}) =>
  send(status, OWN, JSON.stringify({ error: { code, message: `it says ${code}`, ...more } }));

/** A valid answer, changed. */
export const answered = (change: (answer: ExecuteAnswer) => unknown) =>
  send(200, OWN, (request) => JSON.stringify(change(answerTo(request))));
