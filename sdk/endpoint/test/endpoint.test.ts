import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { endpoint } from "../src/endpoint.js";
import { conformance, type Framework } from "./conformance.js";
import { executions, probes, silent } from "./probes.js";

/** `Request -> Response` behind node:http, for want of another runtime. */
const web: Framework = {
  name: "Request -> Response",
  adapter: "@aikirun/endpoint",
  async launch({ publicKeys }) {
    const handle = endpoint({ workflows: probes, logger: silent });
    const server = createServer(async (incoming, outgoing) => {
      const response = await handle(toRequest(incoming), { AIKI_PUBLIC_KEYS: publicKeys });
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      outgoing.end(Buffer.from(await response.arrayBuffer()));
      incoming.resume();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/aiki`,
      executions: async () => executions(),
      close: () => new Promise<void>((resolve) => server.close(() => resolve())),
    };
  },
};

function toRequest(incoming: IncomingMessage): Request {
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string]);
  const method = incoming.method ?? "GET";
  const hasBody = method !== "GET" && method !== "HEAD";
  const init: RequestInit & { duplex: "half" } = {
    method,
    headers,
    duplex: "half",
    ...(hasBody && { body: incoming as never }),
  };
  return new Request(`http://${incoming.headers.host}${incoming.url}`, init);
}

conformance(web);
