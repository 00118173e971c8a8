import type { AddressInfo } from "node:net";
import type { EndpointOptions } from "@aikirun/endpoint";
import { serveAiki } from "@aikirun/hono";
import type { ServableVersion } from "@aikirun/workflow";
import { serve } from "@hono/node-server";
import { Hono } from "hono";

/** Serves workflows from this process, for the orchestrator at `aikiUrl`, until `stop` is called. */
export async function serveWorkflows(
  workflows: readonly ServableVersion[],
  aikiUrl: string,
  options: EndpointOptions = {},
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const app = new Hono<{ Bindings: Record<string, unknown> }>();
  const handler = serveAiki(workflows, options);
  app.all("/api/aiki", (context) => {
    Object.assign(context.env, { AIKI_URL: aikiUrl });
    return handler(context);
  });
  const server = serve({ fetch: app.fetch, port: 0 });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/api/aiki`,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
