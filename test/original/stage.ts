/** A real orchestrator on Postgres, a real app over HTTP, and between them a connection that a test can cut. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createFront, type Socket } from "node:net";
import { type Client, client } from "@aikirun/client";
import { endpoint } from "@aikirun/endpoint";
import type { ExecuteRequest, HistoryRecord, Run } from "@aikirun/protocol";
import type { ServableVersion } from "@aikirun/workflow";
import { getRequestListener } from "@hono/node-server";
import { onTestFinished } from "vitest";
import { start } from "../../server/test/api/server.js";
import { testDatabase } from "../../server/test/store/database.js";

export interface Stage {
  readonly aiki: Client;
  /** Deploys other code at the same address. */
  serve(workflows: readonly ServableVersion[]): void;
  /** Happens between the app's next answer for a run of this workflow and the orchestrator's hearing of it. */
  beforeAnswer(workflow: string, meanwhile: (runId: string) => Promise<unknown>): void;
  /** The orchestrator loses every push under way; the app notices nothing. */
  cut(): void;
  run(id: string): Promise<Run>;
  history(id: string): Promise<readonly HistoryRecord[]>;
  post(path: string, body?: unknown): Promise<void>;
}

export async function setStage(workflows: readonly ServableVersion[]): Promise<Stage> {
  const database = await testDatabase();
  onTestFinished(() => database.close());
  const orchestrator = await start("dev", { settings: { DATABASE_URL: database.url } });
  const aiki = client({ url: orchestrator.server.url });
  let handler = endpoint({ workflows });
  const held = new Map<string, (runId: string) => Promise<unknown>>();
  const answer = async (request: Request): Promise<Response> => {
    const pushed = held.size > 0 ? await request.clone().text() : "";
    const response = await handler(request, { AIKI_URL: orchestrator.server.url });
    const { run } = pushed.startsWith("{") ? (JSON.parse(pushed) as Partial<ExecuteRequest>) : {};
    const meanwhile = held.get(run?.workflow ?? "");
    if (!run || !meanwhile) return response;
    held.delete(run.workflow);
    await meanwhile(run.id);
    return response;
  };
  const listener = getRequestListener(answer, { overrideGlobalObjects: false });
  const app = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  const appPort = await listening(app.listen(0, "127.0.0.1"));
  const fromOrchestrator = new Set<Socket>();
  const front = createFront((near) => {
    const far = connect(appPort, "127.0.0.1");
    fromOrchestrator.add(near);
    near.on("error", () => {}).pipe(far, { end: false });
    far.on("error", () => {}).pipe(near);
  });
  const frontPort = await listening(front.listen(0, "127.0.0.1"));
  onTestFinished(() => {
    for (const socket of fromOrchestrator) socket.destroy();
    front.close();
    app.closeAllConnections();
    app.close();
  });
  await aiki.registerEndpoint({ url: `http://127.0.0.1:${frontPort}/api/aiki` });
  return {
    aiki,
    serve(next) {
      handler = endpoint({ workflows: next });
    },
    beforeAnswer: (workflow, meanwhile) => void held.set(workflow, meanwhile),
    cut() {
      for (const socket of fromOrchestrator) socket.destroy();
      fromOrchestrator.clear();
    },
    run: async (id) => (await orchestrator.call("GET", `/v1/runs/${id}`)).json as unknown as Run,
    history: async (id) => (await orchestrator.call("GET", `/v1/runs/${id}/history`)).json.records,
    async post(path, body = {}) {
      const { status, text } = await orchestrator.call("POST", path, { body });
      if (status >= 300) throw new Error(`${path}: ${status} ${text}`);
    },
  };
}

async function listening(server: { address(): unknown; once(name: string, listener: () => void): unknown }) {
  await once(server as never, "listening");
  return (server.address() as AddressInfo).port;
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
