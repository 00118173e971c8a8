import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { endpoint } from "../src/endpoint.js";
import { conformance, type Framework } from "./conformance.js";
import { type Counts, counts, probes, silent } from "./probes.js";

/** `Request -> Response` behind node:http. */
const onNode: Framework = {
  name: "Request -> Response",
  adapter: "@aikirun/endpoint",
  async launch({ publicKeys }) {
    const handle = endpoint({ workflows: probes, logger: silent });
    const server = createServer(async (incoming, outgoing) => {
      const gone = new AbortController();
      outgoing.on("close", () => gone.abort());
      const response = await handle(toRequest(incoming, gone.signal), { AIKI_PUBLIC_KEYS: publicKeys });
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      for await (const part of response.body ?? []) outgoing.write(part);
      outgoing.end();
      incoming.resume();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/aiki`,
      counts: async () => counts(),
      close: () => new Promise<void>((resolve) => server.close(() => resolve())),
    };
  },
};

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string]);
  const method = incoming.method ?? "GET";
  const hasBody = method !== "GET" && method !== "HEAD";
  const init: RequestInit & { duplex: "half" } = {
    method,
    headers,
    duplex: "half",
    signal,
    ...(hasBody && { body: incoming as never }),
  };
  return new Request(`http://${incoming.headers.host}${incoming.url}`, init);
}

/** The same where a runtime has WebCrypto only: jose verifies. */
const withoutNodeCrypto: Framework = {
  ...onNode,
  name: "Request -> Response without node:crypto",
  async launch(settings) {
    const { getBuiltinModule } = process;
    Object.assign(process, { getBuiltinModule: undefined });
    try {
      return await onNode.launch(settings);
    } finally {
      Object.assign(process, { getBuiltinModule });
    }
  },
};

const onBun: Framework = {
  name: "Bun",
  adapter: "@aikirun/endpoint",
  async launch({ publicKeys }) {
    const bun = fileURLToPath(new URL("../../../node_modules/.bin/bun", import.meta.url));
    const app = fileURLToPath(new URL("bun-app.ts", import.meta.url));
    const env = { ...process.env, AIKI_PUBLIC_KEYS: publicKeys, NODE_ENV: "development" };
    const child = spawn(bun, ["run", app], { env, stdio: ["ignore", "pipe", "inherit"] });
    const [port] = (await once(child.stdout, "data")) as [Buffer];
    const origin = `http://127.0.0.1:${port.toString().trim()}`;
    return {
      url: `${origin}/api/aiki`,
      counts: async () => (await (await fetch(`${origin}/counts`)).json()) as Counts,
      async close() {
        const ended = once(child, "exit");
        child.kill();
        await ended;
      },
    };
  },
};

for (const framework of [onNode, withoutNodeCrypto, onBun]) conformance(framework);
