import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import type { Endpoint } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Discovery } from "../src/dev/discovery.js";
import { registerNamed } from "../src/dev/named.js";
import { hintedPorts, portsText } from "../src/dev/ports.js";

const QUICK = { connectMs: 10, firstRetryMs: 40, lastRetryMs: 80 };
const stops: (() => void)[] = [];
let registered: { url: string; takeOver?: boolean | undefined }[];
let refusal: AikiError | undefined;
let told: string[];
/** What the orchestrator has registered already. */
let known: Endpoint[];
let refreshed: string[];

beforeEach(() => {
  registered = [];
  refusal = undefined;
  told = [];
  known = [];
  refreshed = [];
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const aiki = {
  listEndpoints: async () => known,
  async refreshEndpoint(id: string): Promise<Endpoint> {
    refreshed.push(id);
    return known[0] as Endpoint;
  },
  async registerEndpoint(body: { url: string; takeOver?: boolean | undefined }): Promise<Endpoint> {
    registered.push(body);
    if (refusal && !body.takeOver) throw refusal;
    return { url: body.url } as Endpoint;
  },
};
const report = {
  found: (endpoint: Endpoint) => void told.push(`found ${endpoint.url}`),
  warn: (message: string) => void told.push(message),
};

/** A real app; answers requests for `path` as an endpoint does and remembers all that it is asked. */
async function app(path: string, host = "127.0.0.1", port = 0) {
  const asked: string[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === path) response.setHeader("aiki-protocol", "1");
    response.writeHead(request.url === path ? 200 : 404).end("{}");
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  stops.push(stop);
  return { port: (server.address() as AddressInfo).port, asked, stop };
}

async function freePort(): Promise<number> {
  const { port, stop } = await app("/");
  stop();
  return port;
}

function discovery(ports: readonly number[], known: readonly string[] = []): Discovery {
  const controller = new AbortController();
  stops.push(() => controller.abort());
  return new Discovery({ aiki, ports, known, report, signal: controller.signal, timing: QUICK });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("finds the endpoint of a running app, by its usual paths in order", async () => {
  const { port, asked } = await app("/aiki");
  await discovery([port]).look();
  expect(asked).toEqual(["GET /api/aiki", "GET /aiki"]);
  expect(registered).toEqual([{ url: `http://localhost:${port}/aiki` }]);
});

test("finds an app that listens on IPv6 only", async () => {
  const { port } = await app("/api/aiki", "::1");
  await discovery([port]).look();
  expect(registered).toHaveLength(1);
});

test("nothing but an answer with the protocol header is an endpoint, and nothing is posted to it", async () => {
  const { port, asked } = await app("/elsewhere");
  await discovery([port]).look();
  expect(registered).toEqual([]);
  expect(asked.every((request) => request.startsWith("GET "))).toBe(true);
});

test("waits for an app that starts later, and never asks a found endpoint again", async () => {
  const port = await freePort();
  const finder = discovery([port]);
  finder.start();
  await finder.look();
  const { asked } = await app("/api/aiki", "127.0.0.1", port);
  await until(() => registered.length === 1);
  for (let looks = 0; looks < 10; looks++) await finder.look();
  expect(asked).toEqual(["GET /api/aiki"]);
});

test("asks a silent port again, less and less often", async () => {
  const { port, asked } = await app("/later");
  const finder = discovery([port]);
  await finder.look();
  await finder.look();
  expect(asked).toHaveLength(3);
  await until(() => void finder.look() === undefined && asked.length === 6);
});

test("asks again when an app was started again, or when a person wants it", async () => {
  const { port, stop } = await app("/api/aiki");
  const finder = discovery([port]);
  await finder.look();
  stop();
  await finder.look();
  await app("/api/aiki", "127.0.0.1", port);
  await finder.look();
  expect(registered).toHaveLength(2);
  await finder.rescan();
  expect(registered).toHaveLength(3);
});

test("an endpoint of an earlier session is asked first, and keeps its name and headers", async () => {
  const { port, asked } = await app("/my/own/path");
  const url = `http://localhost:${port}/my/own/path`;
  known = [{ id: "ep_1", url } as Endpoint];
  await discovery([], [url]).look();
  expect(asked).toEqual(["GET /my/own/path"]);
  expect({ refreshed, registered }).toEqual({ refreshed: ["ep_1"], registered: [] });
});

test("warns when another app that is up serves the version, and keeps the first", async () => {
  const first = await app("/none");
  const { port } = await app("/api/aiki");
  const url = `http://localhost:${first.port}/api/aiki`;
  refusal = new AikiError("VERSION_OWNED", `hello@1.0.0 is served by ${url}.`, { details: { url } });
  const finder = discovery([port]);
  await finder.look();
  await finder.look();
  expect(told).toEqual([`VERSION_OWNED http://localhost:${port}/api/aiki: hello@1.0.0 is served by ${url}.`]);
  expect(registered).toHaveLength(1);
});

test("takes over from an app that is gone", async () => {
  const url = `http://localhost:${await freePort()}/api/aiki`;
  refusal = new AikiError("VERSION_OWNED", "owned", { details: { url } });
  const { port } = await app("/api/aiki");
  await discovery([port]).look();
  expect(registered.at(-1)).toEqual({ url: `http://localhost:${port}/api/aiki`, takeOver: true });
  expect(told).toContain(`It serves instead of ${url}, which is gone.`);
});

test("tells a failing registration once, and keeps trying", async () => {
  refusal = new AikiError("ENDPOINT_REFUSED", "no");
  const { port } = await app("/api/aiki");
  const finder = discovery([port]);
  await finder.look();
  await until(() => void finder.look() === undefined && registered.length === 3);
  expect(told).toEqual(["ENDPOINT_REFUSED no"]);
});

test("a server that speaks no HTTP is left alone", async () => {
  const server = createTcpServer((socket) => void socket.on("error", () => {}).end("ssh-2.0\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => server.close());
  await discovery([(server.address() as AddressInfo).port]).look();
  expect(registered).toEqual([]);
});

test("a named URL fails loudly and is tried until it works", async () => {
  refusal = new AikiError("CONNECTION_REFUSED", "Nobody listens.");
  setTimeout(() => {
    refusal = undefined;
  }, 60);
  await registerNamed({
    aiki,
    urls: ["http://localhost:1/x"],
    report,
    signal: new AbortController().signal,
    timing: QUICK,
  });
  expect(told[0]).toBe("CONNECTION_REFUSED Nobody listens.  (again in 0.04 s)");
  expect(told.at(-1)).toBe("found http://localhost:1/x");
});

test("ports are read from scripts and printed as ranges", () => {
  expect(portsText([3001, 3000, 3002, 4000, 5173])).toBe("3000-3002, 4000, 5173");
  expect(hintedPorts("/nowhere")).toEqual([]);
});
