/** What stands in front of an app: passes on what it gets, or spoils it. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export type Fault = "down" | "html" | "error" | "busy" | "redirect" | "half";

export const RETRY_AFTER_S = 1;

export interface Front {
  /** What to register. */
  readonly url: string;
  /** When the pushes of each run arrived, in milliseconds; empty for what never got here. */
  readonly arrivals: ReadonlyMap<string, readonly number[]>;
  /** Requests for the address that a redirect names. */
  readonly followed: () => number;
  fail(fault: Fault): Promise<void>;
  heal(): Promise<void>;
  close(): Promise<void>;
}

const ELSEWHERE = "/elsewhere";

export async function startFront(appUrl: string): Promise<Front> {
  const arrivals = new Map<string, number[]>();
  let followed = 0;
  let fault: Fault | undefined;
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === ELSEWHERE) followed += 1;
    const run = subjectOf(incoming);
    if (run !== undefined) arrivals.set(run, [...(arrivals.get(run) ?? []), performance.now()]);
    void answer(incoming, outgoing, appUrl, fault).catch(() => incoming.socket.destroy());
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const down = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `http://127.0.0.1:${port}${new URL(appUrl).pathname}`,
    arrivals,
    followed: () => followed,
    async fail(next) {
      fault = next;
      if (next === "down") await down();
    },
    async heal() {
      fault = undefined;
      if (!server.listening) await listen(server, port);
    },
    close: down,
  };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  appUrl: string,
  fault: Fault | undefined,
): Promise<void> {
  switch (fault) {
    case "html":
      outgoing.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Welcome</title>");
      return;
    case "error":
      outgoing.writeHead(500, { "content-type": "text/plain" }).end("Internal Server Error");
      return;
    case "busy":
      outgoing.writeHead(429, { "retry-after": String(RETRY_AFTER_S) }).end();
      return;
    case "redirect":
      outgoing.writeHead(307, { location: ELSEWHERE }).end();
      return;
  }
  const { status, headers, body } = await ask(incoming, appUrl);
  if (fault === "half") {
    // Announces the whole, sends the first half, and is gone.
    outgoing.writeHead(status, { ...headers, "content-length": body.byteLength });
    outgoing.write(body.subarray(0, body.byteLength >> 1), () => outgoing.socket?.destroy());
    return;
  }
  outgoing.writeHead(status, headers).end(body);
}

/** The app sees the request as it came, the name of its host included. */
async function ask(incoming: IncomingMessage, appUrl: string) {
  const body = await buffer(incoming);
  const answered = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { method: incoming.method ?? "GET", headers: incoming.headers };
    request(appUrl, options, resolve).once("error", reject).end(body);
  });
  const { "transfer-encoding": _, ...headers } = answered.headers;
  return { status: answered.statusCode ?? 502, headers, body: await buffer(answered) };
}

/** Whom a push is about, by its claims. */
function subjectOf(incoming: IncomingMessage): string | undefined {
  const payload = incoming.headers.authorization?.split(".")[1];
  if (payload === undefined) return undefined;
  return (JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as { sub: string }).sub;
}
