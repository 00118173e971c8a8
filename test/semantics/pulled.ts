/** A worker, and between it and the orchestrator a connection that a test can cut. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { client } from "@aikirun/client";
import type { WorkAnswerBody } from "@aikirun/protocol";
import { type RunningWorker, worker } from "@aikirun/worker";
import type { AnyVersion, ServableVersion } from "@aikirun/workflow";
import type { App, AppOptions } from "./app.js";
import { listen } from "./pushed.js";

export async function pulled({ url, apiKey, logger, context, beforeAnswer }: AppOptions): Promise<App> {
  let front: Front | undefined;
  let running: RunningWorker | undefined;
  let current: readonly AnyVersion[] = [];
  const end = async (grace?: number) => {
    await running?.stop(grace === undefined ? {} : { grace });
    front?.close();
    [running, front] = [undefined, undefined];
  };
  const serve = async (workflows: readonly AnyVersion[]) => {
    await end();
    current = workflows;
    front = await startFront(url, beforeAnswer);
    const served = workflows as readonly ServableVersion[];
    const made = worker({ workflows: served, concurrency: 200, logger, ...(context !== undefined && { context }) });
    running = await made.spawn(client({ url: front.url, apiKey }));
  };
  const abandoned: RunningWorker[] = [];
  return {
    serve,
    rest: () => end(),
    async cut() {
      front?.close();
      if (running) abandoned.push(running);
      running = undefined;
      await serve(current);
    },
    async stop() {
      await Promise.all(abandoned.map((one) => one.stop({ grace: 0 })));
      await end(0);
    },
  };
}

interface Front {
  readonly url: string;
  close(): void;
}

/** Passes everything on, one request after the other as they come, until it is closed. */
async function startFront(target: string, beforeAnswer: AppOptions["beforeAnswer"]): Promise<Front> {
  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method, url: path = "/", headers } = incoming;
    const body = await buffer(incoming).catch(() => undefined);
    if (!body) return;
    if (path === "/v1/workers/answer") {
      const brought = JSON.parse(body.toString()) as WorkAnswerBody;
      if (brought.type === "answer") await beforeAnswer(brought.answer.runId);
    }
    const upstream = request(target + path, { method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on("error", () => outgoing.destroy()).pipe(outgoing);
    });
    outgoing.once("close", () => upstream.destroy());
    upstream.on("error", () => outgoing.destroy()).end(body);
  }
  const url = await listen(server);
  return {
    url,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
