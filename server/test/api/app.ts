/** A real endpoint of the SDK on a real port, that a test can break. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type EndpointOptions, endpoint } from "@aikirun/endpoint";
import type { ServableVersion } from "@aikirun/workflow";
import { getRequestListener } from "@hono/node-server";
import { onTestFinished } from "vitest";

export interface App {
  readonly url: string;
  /** Pushes and describes that arrived. */
  readonly requests: number;
  serve(workflows: readonly ServableVersion[], options?: EndpointOptions): void;
  /** Answers instead of the SDK, until called without an argument. */
  intercept(respond?: (request: Request) => Response | undefined): void;
}

export async function startApp(aikiUrl: string, workflows: readonly ServableVersion[]): Promise<App> {
  let requests = 0;
  let handler = endpoint({ workflows });
  let interceptor: ((request: Request) => Response | undefined) | undefined;
  const listener = getRequestListener(
    async (request) => {
      requests++;
      return interceptor?.(request) ?? handler(request, { AIKI_URL: aikiUrl });
    },
    { overrideGlobalObjects: false },
  );
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/aiki`,
    get requests() {
      return requests;
    },
    serve(next, options = {}) {
      handler = endpoint({ workflows: next, ...options });
    },
    intercept(respond) {
      interceptor = respond;
    },
  };
}
