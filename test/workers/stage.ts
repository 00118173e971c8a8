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
  /** Through the load balancer. */
  readonly aiki: Client;
  readonly orchestrators: readonly Program[];
  readonly database: PostgresProxy;
  /** Kills one, and starts it again at its place. */
  replaceOrchestrator(i: number): Promise<void>;
  startWorker(options?: { pools?: string; url?: string }): Promise<Program>;
  /** Another program of the repository, which says so when it is ready. */
  startProgram(file: string, ready: RegExp, env: Readonly<Record<string, string>>): Promise<Program>;
  /** What the tasks of a run told, in order. */
  told(runId: string): Entry[];
  /** Each task is recorded once, and the run came to this. */
  completed(runId: string, output: unknown, tasks: number): Promise<void>;
  readonly urls: readonly string[];
}

export async function stage(replicas: number): Promise<Stage> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "workers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, "effects.log");
  writeFileSync(log, "");
  const real = await testDatabase();
  onTestFinished(() => real.close());
  const database = await startPostgresProxy(real.url);
  onTestFinished(() => database.close());
  const ports = await Promise.all(Array.from({ length: replicas }, freePort));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const front = await loadBalancer(ports);
  const env = {
    DATABASE_URL: database.url,
    AIKI_SECRET: randomBytes(32).toString("base64"),
    AIKI_ADMIN_KEY: KEY,
    AIKI_HOST: "127.0.0.1",
    AIKI_LEASE_MS: String(LEASE_MS),
    AIKI_PUBLIC_URL: front,
    AIKI_EGRESS_ALLOW: "127.0.0.0/8",
  };
  const orchestrator = async (port: number) => {
    const args = [join(root, "sdk/cli/dist/bin.js"), "start"];
    const program = started({ name: `aiki at ${port}`, cwd: root, args, env: { ...env, PORT: String(port) } });
    await program.line(/^aiki ready /, READY_MS);
    return program;
  };
  const orchestrators = await Promise.all(ports.map(orchestrator));
  const aiki = client({ url: front, apiKey: KEY, maxAttempts: 20 });
  const startProgram: Stage["startProgram"] = async (file, ready, env) => {
    const args = ["--import", "tsx", join(root, file)];
    const own = { AIKI_URL: front, AIKI_API_KEY: KEY, LOG: log, ...env };
    const program = started({ name: file, cwd: root, args, env: own });
    await program.line(ready, READY_MS);
    return program;
  };
  const told = (runId: string) => {
    const lines = readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Entry).filter((entry) => entry.runId === runId);
  };
  return {
    aiki,
    orchestrators,
    database,
    urls,
    told,
    async replaceOrchestrator(i) {
      await orchestrators[i]?.kill();
      orchestrators[i] = await orchestrator(ports[i] as number);
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
async function loadBalancer(ports: readonly number[]): Promise<string> {
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
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
