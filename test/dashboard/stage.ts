/** An orchestrator on Postgres that wants a key, an app with workflows, and a browser that is signed in. */
import { type Client, client } from "@aikirun/client";
import type { Run, RunStatus } from "@aikirun/protocol";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { inject, vi } from "vitest";
import { parseCidr } from "../../server/src/egress/address.js";
import { startServer } from "../../server/src/shell/node.js";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { openBrowser } from "../browser.js";
import { serveWorkflows } from "../serve.js";
import { startWorkersHost } from "../workers-host.js";
import { allWorkflows } from "./workflows.js";

export const KEY = "dashboard-admin-key-dashboard-admin-0";
export const SOON = { timeout: 20_000, interval: 50 };
const PATIENCE_MS = 15_000;
const LOOPBACK = ["127.0.0.0/8", "::1/128"];

export interface Stage {
  readonly url: string;
  readonly aiki: Client;
  readonly database: TestDatabase;
  readonly browser: Browser;
  /** A page of somebody who is signed in; what it complains of is kept. */
  open(path: string, options?: BrowserContextOptions): Promise<Page>;
  start(workflow: string, version: string, input?: unknown, reference?: string): Promise<string>;
  /** Resolves when the run has this status. */
  until(runId: string, status: RunStatus): Promise<Run>;
  /** What pages complained of: scripts that failed, and what the content security policy has stopped. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function stage(): Promise<Stage> {
  const database = await testDatabase();
  const server = await startHost(database.url);
  const url = server.url.replace("localhost", "127.0.0.1");
  const app = await serveWorkflows(allWorkflows, url);
  const aiki = client({ url, apiKey: KEY });
  await aiki.registerEndpoint({ url: app.url, name: "shop" });
  const browser = await openBrowser();
  const complaints: string[] = [];
  const contexts: BrowserContext[] = [];
  let signedIn: Awaited<ReturnType<BrowserContext["storageState"]>> | undefined;

  const open = async (path: string, options: BrowserContextOptions = {}): Promise<Page> => {
    signedIn ??= await signIn(browser, url);
    const context = await browser.newContext({ storageState: signedIn, ...options });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    watch(page, complaints);
    await page.goto(url + path);
    return page;
  };
  return {
    url,
    aiki,
    database,
    browser,
    complaints,
    open,
    async start(workflow, version, input, reference) {
      const { run } = await aiki.startRun({
        workflow,
        version,
        ...(input === undefined ? {} : { input: input as never }),
        ...(reference === undefined ? {} : { reference: { id: reference } }),
      });
      return run.id;
    },
    async until(runId, status) {
      return vi.waitFor(async () => {
        const run = await aiki.getRun(runId);
        if (run.status !== status) throw new Error(`${runId} is ${run.status}, not ${status}: ${JSON.stringify(run)}`);
        return run;
      }, SOON);
    },
    async close() {
      for (const context of contexts) await context.close();
      await browser.close();
      await app.stop();
      await server.close();
      await database.close();
    },
  };
}

/** What serves it all: the project of this run says on which host. */
async function startHost(databaseUrl: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  if (inject("dashboardHost") === "workers") {
    const settings = { AIKI_ADMIN_KEY: KEY, AIKI_EGRESS_ALLOW: LOOPBACK.join(",") };
    return startWorkersHost({ databaseUrl, settings, needsKeys: true, cronMs: 1_000 });
  }
  const settings = {
    DATABASE_URL: databaseUrl,
    PORT: 0,
    AIKI_HOST: "127.0.0.1",
    AIKI_SECRET: new Uint8Array(32).fill(7),
    AIKI_ADMIN_KEY: KEY,
    AIKI_EGRESS_ALLOW: LOOPBACK.map((text) => parseCidr(text)!),
  };
  return startServer({ mode: "start", settings, log: { info() {}, warn() {}, error: console.error } });
}

declare module "vitest" {
  interface ProvidedContext {
    /** Absent: Node. */
    dashboardHost?: "workers";
  }
}

/** As a person does it; the cookie is what later pages begin with. */
async function signIn(browser: Browser, url: string) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("API key").fill(KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

/** Keeps what a page complains of. */
export function watch(page: Page, complaints: string[]): void {
  page.on("pageerror", (error) => complaints.push(`${error}`));
  page.on("console", (message) => {
    const text = message.text();
    if (/content security policy|violates|refused to/i.test(text)) complaints.push(text);
  });
}
