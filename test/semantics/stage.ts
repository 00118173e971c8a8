/**
 * What a test of the semantics plays on: a namespace of its own at the orchestrator of this mode, and an app that runs its
 * workflows as the mode demands. It knows the orchestrator by its HTTP API and its database, and by nothing else.
 */
import { randomBytes } from "node:crypto";
import { type Client, client } from "@aikirun/client";
import type { HistoryRecord, Run } from "@aikirun/protocol";
import type { AnyVersion, ContextSource, Logger } from "@aikirun/workflow";
import pg from "pg";
import { afterEach, inject, onTestFinished } from "vitest";
import { ask } from "../../server/test/store/on-demand.js";
import type { App, AppOptions } from "./app.js";
import { modes, nameOf } from "./modes.js";
import { pulled } from "./pulled.js";
import { pushed } from "./pushed.js";
import { recordedRuns } from "./recorded.js";
import type { SharedOrchestrator } from "./setup.js";

export interface Stage {
  readonly aiki: Client;
  readonly app: App;
  /** What another app, or a person, needs to reach it. */
  readonly access: AppOptions;
  history(runId: string): Promise<readonly HistoryRecord[]>;
  /** Looks at a run until it is so. */
  until(runId: string, is: (run: Run) => boolean): Promise<Run>;
  /** Happens, once, between the end of the next invocation of a run of this workflow and the orchestrator's hearing of it. */
  beforeAnswer(workflow: string, meanwhile: (runId: string) => Promise<unknown>): void;
  /** Of the orchestrator's database, for what only SQL can tell. */
  rows(sql: string, values: readonly unknown[]): Promise<unknown[]>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly context?: ContextSource<unknown>;
  readonly logger?: Logger;
}

/** What this file's tests are run on. */
const place = inject("place");
export const isPulled = modes[place.mode].pulled;
export const goesOn = modes[place.mode].checkpoints === "on";
/** Bounds how long a failure takes; what is waited for ends the wait. */
export const SOON = { timeout: 25_000, interval: 20 };
const SILENT: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

interface Open {
  readonly aiki: Client;
  readonly told: Set<string>;
}
const open = new Set<Open>();
afterEach(async ({ expect, task }) => {
  const recorded = await Promise.all([...open].map(({ aiki, told }) => recordedRuns(aiki, told)));
  // What a failed test has left is nobody else's.
  if (task.result?.state !== "fail") expect(recorded.join("\n")).toMatchSnapshot();
});

/** Open until `close`. Several of one file are strangers to each other. Without workflows its app serves nothing yet. */
export async function stage(workflows: readonly AnyVersion[], options: StageOptions = {}): Promise<Stage> {
  const { url, adminKey, databaseUrl } = await ask<SharedOrchestrator>(inject("orchestrators")[nameOf(place)] ?? "");
  const namespace = `test-${randomBytes(8).toString("hex")}`;
  const { secret } = await client({ url, apiKey: adminKey }).createKey({ namespace, scope: "admin" });
  const aiki = client({ url, apiKey: secret });
  const held = new Map<string, (runId: string) => Promise<unknown>>();
  const access: AppOptions = {
    url,
    apiKey: secret,
    namespace,
    aiki,
    logger: options.logger ?? SILENT,
    context: options.context,
    async beforeAnswer(runId) {
      if (held.size === 0) return;
      const { workflow } = await aiki.getRun(runId);
      const meanwhile = held.get(workflow);
      held.delete(workflow);
      await meanwhile?.(runId);
    },
  };
  const app = await anotherApp(access);
  if (workflows.length > 0) await app.serve(workflows);
  const own: Open = { aiki, told: new Set() };
  open.add(own);
  return {
    aiki,
    app,
    access,
    history: async (runId) => (await aiki.readHistory(runId)).records,
    beforeAnswer: (workflow, meanwhile) => void held.set(workflow, meanwhile),
    async until(runId, is) {
      const deadline = performance.now() + SOON.timeout;
      for (;;) {
        const run = await aiki.getRun(runId);
        if (is(run)) return run;
        if (performance.now() > deadline) throw new Error(`${runId} is not so: ${JSON.stringify(run)}`);
        await new Promise((resolve) => setTimeout(resolve, SOON.interval));
      }
    },
    async rows(sql, values) {
      const database = new pg.Client({ connectionString: databaseUrl });
      await database.connect();
      const { rows } = await database.query(sql, [...values]);
      await database.end();
      return rows;
    },
    async close() {
      open.delete(own);
      await app.stop();
      // What a test leaves behind is not pushed for the rest of the suite.
      await aiki.cancelRuns({ filter: {} });
    },
  };
}

/** One more that runs code for the same namespace. It has nothing to do until it serves. */
export const anotherApp = (access: AppOptions): Promise<App> => (isPulled ? pulled : pushed)(access);

/** Open until the test ends. */
export async function staged(workflows: readonly AnyVersion[], options?: StageOptions): Promise<Stage> {
  const made = await stage(workflows, options);
  onTestFinished(() => made.close());
  return made;
}
