/** The HTTP server of Node around an app. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { AikiError } from "@aikirun/protocol";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";

/** Longer than any client or proxy keeps an idle connection, so that none sends into one that is being closed. */
const KEEP_ALIVE_MS = 75_000;

export interface Listening {
  readonly port: number;
  /** Accepts nothing more; what is under way may end for up to `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Throws `PORT_IN_USE`, or `SETTING_INVALID` when there is no such address here. */
export async function listen(app: Hono, host: string, port: number): Promise<Listening> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: KEEP_ALIVE_MS + 1_000 },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") throw await portInUse(port);
    throw new AikiError("SETTING_INVALID", `AIKI_HOST: cannot listen on ${host}, port ${port} (${error.code}).`);
  });
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => close(server, graceMs) };
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}

async function portInUse(port: number): Promise<AikiError> {
  const other = port + 10;
  return new AikiError(
    "PORT_IN_USE",
    `Port ${port} is used by ${await userOf(port)}. Stop it, or: aiki dev --port ${other} and AIKI_URL=http://localhost:${other} in this app.`,
    { details: { port } },
  );
}

/** Another Aiki tells this machine which folder it serves. */
async function userOf(port: number): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) });
    const health = (await response.json()) as { self?: { pid?: unknown; folder?: unknown } };
    const { pid, folder } = health.self ?? {};
    if (typeof pid === "number" && typeof folder === "string") return `\`aiki dev\` of ${folder} (pid ${pid})`;
  } catch {
    // Whoever it is does not say.
  }
  return "another program";
}
