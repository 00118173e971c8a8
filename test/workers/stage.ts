/** Orchestrators, workers and apps as processes of their own, on a real database, with a load balancer in front. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Client, client } from "@aikirun/client";
import { expect, onTestFinished } from "vitest";
import { freePort, Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";
import { testDatabase } from "../../server/test/store/database.js";
import { type PostgresProxy, startPostgresProxy } from "../chaos/postgres-proxy.js";
import type { Entry } from "./workflows.js";

const READY_MS = 60_000;
const KEY = "workers-admin-key-workers-admin-key-0";
/** Short, so that a test need not wait long for what a dead worker had in hand. */
export const LEASE_MS = 3_000;
export const SOON = { timeout: 60_000, interval: 50 };

export interface Stage {
  readonly orchestrators: readonly Program[];
  readonly urls: readonly string[];
  readonly database: PostgresProxy;
  /** At the place of one that was killed. */
  startOrchestrator(i: number): Promise<void>;
  /** What one test works with: a namespace of its own, whose workers end with the test. */
  crew(): Promise<Crew>;
  close(): Promise<void>;
}

export interface Crew {
  /** Through the load balancer. */
  readonly aiki: Client;
  readonly apiKey: string;
  startWorker(options?: { pools?: string; url?: string }): Promise<Program>;
  /** Another program of the repository, which says so when it is ready. */
  startProgram(file: string, ready: RegExp, env: Readonly<Record<string, string>>): Promise<Program>;
  /** What the tasks of a run told, in order. */
  told(runId: string): Entry[];
  /** Each task is recorded once, and the run came to this. */
  completed(runId: string, output: unknown, tasks: number): Promise<void>;
}

/** Orchestrators on one database, until `close`. */
export async function stage(replicas: number, checkpoints: "on" | "off" = "on"): Promise<Stage> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "workers-"));
  const log = join(folder, "effects.log");
  writeFileSync(log, "");
  const real = await testDatabase();
  const database = await startPostgresProxy(real.url);
  const ports = await Promise.all(Array.from({ length: replicas }, freePort));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const front = await loadBalancer(ports);
  const env = {
    DATABASE_URL: database.url,
    AIKI_SECRET: randomBytes(32).toString("base64"),
    AIKI_ADMIN_KEY: KEY,
    AIKI_HOST: "127.0.0.1",
    AIKI_LEASE_MS: String(LEASE_MS),
    AIKI_PUBLIC_URL: front.url,
    AIKI_EGRESS_ALLOW: "127.0.0.0/8",
    AIKI_CHECKPOINTS: checkpoints,
  };
  const orchestrator = async (port: number) => {
    const args = [join(root, "sdk/cli/dist/bin.js"), "start"];
    const program = new Program({ name: `aiki at ${port}`, cwd: root, args, env: { ...env, PORT: String(port) } });
    await program.line(/^aiki ready /, READY_MS);
    return program;
  };
  const orchestrators = await Promise.all(ports.map(orchestrator));
  return {
    orchestrators,
    urls,
    database,
    async startOrchestrator(i) {
      orchestrators[i] = await orchestrator(ports[i] as number);
    },
    crew: () => crew(front.url, log),
    async close() {
      await Promise.all(orchestrators.map((one) => one.stop()));
      front.close();
      await database.close();
      await real.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function crew(front: string, log: string): Promise<Crew> {
  const namespace = `test-${randomBytes(8).toString("hex")}`;
  const { secret } = await client({ url: front, apiKey: KEY }).createKey({ namespace, scope: "admin" });
  const aiki = client({ url: front, apiKey: secret, maxAttempts: 20 });
  const startProgram: Crew["startProgram"] = async (file, ready, env) => {
    const args = ["--import", "tsx", join(root, file)];
    const own = { AIKI_URL: front, AIKI_API_KEY: secret, AIKI_NAMESPACE: namespace, LOG: log, ...env };
    const program = started({ name: file, cwd: root, args, env: own });
    await program.line(ready, READY_MS);
    return program;
  };
  return {
    aiki,
    apiKey: secret,
    told(runId) {
      const lines = readFileSync(log, "utf8").split("\n");
      const entries = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Entry);
      return entries.filter((entry) => entry.runId === runId);
    },
    startWorker: ({ pools, url = front } = {}) =>
      startProgram("test/workers/program.ts", /^working/, {
        AIKI_URL: url,
        ...(pools !== undefined && { POOLS: pools }),
      }),
    startProgram,
    async completed(runId, output, tasks) {
      await expect.poll(async () => (await aiki.getRun(runId)).status, SOON).toBe("completed");
      expect(await aiki.getRun(runId)).toMatchObject({ output });
      const { records } = await aiki.readHistory(runId);
      const recorded = records.filter(({ kind }) => kind === "task").map(({ key }) => key);
      expect(recorded).toHaveLength(tasks);
      expect(new Set(recorded).size).toBe(tasks);
      // However often one was begun: what a lost worker was at used up no attempt.
      for (const { kind, value } of records) if (kind === "task") expect(value).toMatchObject({ attempts: 1 });
    },
  };
}

function started(options: ConstructorParameters<typeof Program>[0]): Program {
  const program = new Program(options);
  onTestFinished(() => program.stop());
  return program;
}

/** One request here, the next one there; one that nobody takes goes to the next. */
async function loadBalancer(ports: readonly number[]): Promise<{ readonly url: string; close(): void }> {
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.on("end", () => forward(ports.length));
    const forward = (left: number) => {
      const port = ports[turn++ % ports.length];
      const { method, url: path, headers } = incoming;
      const upstream = request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
        answer.on("error", () => outgoing.destroy());
      });
      outgoing.on("close", () => upstream.destroy());
      upstream.on("error", () => {
        if (outgoing.headersSent || outgoing.destroyed) outgoing.destroy();
        else if (left > 1) forward(left - 1);
        else outgoing.writeHead(502).end();
      });
      upstream.end(Buffer.concat(chunks));
    };
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
