/** What a mistake is made with: a real orchestrator, the command that people type, real apps and what stands in front. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type Client, client } from "@aikirun/client";
import { type EndpointOptions, serveAiki } from "@aikirun/hono";
import { type Logger, type ServableVersion, workflow } from "@aikirun/workflow";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import { aiki, type Ended } from "../../sdk/cli/test/aiki.js";
import { start } from "../../server/test/api/server.js";

export interface Orchestrator {
  readonly url: string;
  readonly api: Client;
  /** The command, in a terminal of somebody who works with this orchestrator. */
  aiki(...args: readonly string[]): Promise<Ended>;
}

/** An orchestrator as `aiki dev` runs it, its state in memory, until the test ends. */
export async function orchestrator(): Promise<Orchestrator> {
  const { server } = await start("dev");
  return at(server.url);
}

export function at(url: string): Orchestrator {
  return { url, api: client({ url }), aiki: (...args) => aiki(args, { env: { AIKI_URL: url } }) };
}

/** The origin under which `app` answers until the test ends. */
export async function listen(app: RequestListener): Promise<string> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface App {
  readonly origin: string;
  readonly url: string;
  /** What the app's operator reads: `CODE message`. */
  readonly log: readonly string[];
}

/** A Hono app with a page and an endpoint; `environment` is the app's own. */
export async function app(
  workflows: readonly ServableVersion[],
  environment: Readonly<Record<string, string>>,
  options: EndpointOptions = {},
): Promise<App> {
  const { logger, log } = operator();
  const hono = new Hono();
  hono.get("/", (context) => context.text("the rest of the app"));
  hono.all("/api/aiki", serveAiki(workflows, { logger, ...options }));
  const origin = await listen(getRequestListener((request) => hono.fetch(request, environment)));
  return { origin, url: `${origin}/api/aiki`, log };
}

export function operator(): { readonly logger: Logger; readonly log: readonly string[] } {
  const log: string[] = [];
  const tell = (fields: object | string, message?: string) => {
    log.push(typeof fields === "string" ? fields : `${"code" in fields ? fields.code : ""} ${message}`);
  };
  return { log, logger: { trace: tell, debug: tell, info: tell, warn: tell, error: tell } };
}

export const hello = workflow({ name: "hello" }).v("1.0.0", { handler: async () => "Hello!" });
