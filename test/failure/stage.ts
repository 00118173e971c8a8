/** An orchestrator on Postgres, an app that it pushes to over HTTP, and a client: what the tests of failures play on. */
import { type Client, client } from "@aikirun/client";
import type { Run } from "@aikirun/protocol";
import type { ServableVersion } from "@aikirun/workflow";
import { startServer } from "../../server/src/shell/node.js";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { serveWorkflows } from "../serve.js";

export interface Stage {
  readonly aiki: Client;
  readonly database: TestDatabase;
  /** Looks at a run until it is so. */
  until(runId: string, is: (run: Run) => boolean): Promise<Run>;
  close(): Promise<void>;
}

/** What the app's host allows; the SDK ends tasks at half of so little. */
const INVOCATION_MS = 4_000;
const LOOK_MS = 15;
const PATIENCE_MS = 20_000;

export async function stage(workflows: readonly ServableVersion[]): Promise<Stage> {
  const database = await testDatabase();
  const settings = { DATABASE_URL: database.url, PORT: 0, AIKI_SECRET: new Uint8Array(32).fill(7) };
  const log = { info() {}, warn() {}, error: console.error };
  const server = await startServer({ mode: "dev", settings, log });
  const app = await serveWorkflows(workflows, server.url, { maxDuration: { milliseconds: INVOCATION_MS } });
  const aiki = client({ url: server.url });
  await aiki.registerEndpoint({ url: app.url });
  return {
    aiki,
    database,
    async until(runId, is) {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const run = await aiki.getRun(runId);
        if (is(run)) return run;
        if (performance.now() > deadline) throw new Error(`${runId} is not so: ${JSON.stringify(run)}`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    },
    async close() {
      await app.stop();
      await server.close();
      await database.close();
    },
  };
}
