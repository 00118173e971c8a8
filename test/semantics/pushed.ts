/** An endpoint: the SDK on a real port, and between it and the orchestrator a connection that a test can cut. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { type EndpointOptions, endpoint, type FetchHandler } from "@aikirun/endpoint";
import type { ExecuteRequest } from "@aikirun/protocol";
import type { AnyVersion, ServableVersion } from "@aikirun/workflow";
import type { App, AppOptions } from "./app.js";

export interface Endpoint extends App {
  readonly url: string;
  /** Pushes and describes that arrived. */
  readonly requests: number;
  /** Deploys other code without a word to the orchestrator. */
  replace(workflows: readonly AnyVersion[]): void;
}

/** Listens, and is registered when it serves for the first time. */
export async function pushed(options: AppOptions, more: EndpointOptions = {}): Promise<Endpoint> {
  const { aiki, namespace, logger, context, beforeAnswer } = options;
  const bindings = { AIKI_URL: options.url, AIKI_NAMESPACE: namespace };
  let requests = 0;
  let handler: FetchHandler = async () => new Response("closed", { status: 503, headers: { "retry-after": "0" } });
  const closed = handler;
  const near = new Set<Socket>();
  const lost = new WeakSet<Socket>();
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  server.on("connection", (socket) => {
    near.add(socket);
    socket.once("close", () => near.delete(socket));
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    requests += 1;
    const body = await buffer(incoming);
    const gone = new AbortController();
    outgoing.once("close", () => {
      if (!outgoing.writableFinished && !lost.has(incoming.socket)) gone.abort();
    });
    const response = await handler(requestOf(incoming, body, gone.signal), bindings);
    const text = await response.text();
    const { type, run } = JSON.parse(body.toString() || "{}") as Partial<ExecuteRequest>;
    if (type === "execute" && run) await beforeAnswer(run.id);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(text);
  }

  const url = `${await listen(server)}/api/aiki`;
  const replace = (workflows: readonly AnyVersion[]) => {
    const served = workflows as readonly ServableVersion[];
    handler = endpoint({ workflows: served, logger, ...(context !== undefined && { context }), ...more });
  };
  return {
    url,
    get requests() {
      return requests;
    },
    replace,
    async serve(workflows) {
      replace(workflows);
      await aiki.registerEndpoint({ url, concurrency: 200 });
    },
    async rest() {
      handler = closed;
    },
    async cut() {
      for (const socket of near) lost.add(socket.destroy());
    },
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function requestOf(incoming: IncomingMessage, body: Buffer, signal: AbortSignal): Request {
  const { method = "GET", url = "/", headers } = incoming;
  const fields = Object.entries(headers).filter((field): field is [string, string] => typeof field[1] === "string");
  const sent = method === "POST" ? { body: new Uint8Array(body) } : {};
  return new Request(`http://${headers.host}${url}`, { method, headers: fields, signal, ...sent });
}

export async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
