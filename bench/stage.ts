/** What is measured: an orchestrator and an app, each a process of its own, on a Postgres of their own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, client } from "@aikirun/client";
import { freePort, Program } from "../scripts/processes.js";
import { root } from "../scripts/workspaces.js";

const ADMIN_KEY = "bench-admin-key-bench-admin-key-0123";

export interface Stage {
  readonly aiki: Client;
  /** The orchestrator's address. */
  readonly url: string;
  /** The app's own address, for the floors. */
  readonly appUrl: string;
  readonly orchestrator: Program;
}

export interface StageOptions {
  readonly databaseUrl: string;
  /** Off: every task is an answer and a push of its own. */
  readonly checkpoints: "on" | "off";
  /** `workers`: the Worker's bundle in Cloudflare's runtime, by Miniflare. */
  readonly runtime: "node" | "workers";
  /** Where the objects of Workers keep their alarms. */
  readonly folder: string;
}

export async function startStage({ databaseUrl, checkpoints, runtime, folder }: StageOptions): Promise<Stage> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const bin = join(root, "sdk/cli/dist/bin.js");
  const settings = {
    DATABASE_URL: databaseUrl,
    PORT: String(port),
    AIKI_ADMIN_KEY: ADMIN_KEY,
    AIKI_SECRET: Buffer.alloc(32, 7).toString("base64"),
    AIKI_PUBLIC_URL: url,
    AIKI_EGRESS_ALLOW: "127.0.0.0/8",
    AIKI_CHECKPOINTS: checkpoints,
  };
  const migration = new Program({ name: "aiki migrate", cwd: root, args: [bin, "migrate"], env: settings });
  await migration.ended;
  const dev = ["dev", "--runtime", "workers", "--port", String(port), "--data", folder];
  const args = [bin, ...(runtime === "workers" ? dev : ["start"])];
  const orchestrator = new Program({ name: `the orchestrator on ${runtime}`, cwd: root, args, env: settings });
  await orchestrator.line(/aiki ready/, 30_000);
  const app = new Program({
    name: "the app",
    cwd: root,
    args: ["--import", "tsx", join(root, "bench/endpoint.ts")],
    env: { AIKI_URL: url, NODE_ENV: "production" },
  });
  const [, appPort] = await app.line(/listening (\d+)/, 30_000);
  const appUrl = `http://127.0.0.1:${appPort}`;
  const aiki = client({ url, apiKey: ADMIN_KEY });
  await aiki.registerEndpoint({ url: `${appUrl}/api/aiki`, name: "bench", concurrency: 256 });
  return { aiki, url, appUrl, orchestrator };
}

/** What a process has used so far, as Linux tells. Undefined elsewhere. */
export function usageOf({ pid }: Program): { readonly cpuMs: number; readonly memoryMb: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    // Clock ticks of user and system time: a hundred in a second, wherever Node runs.
    return { cpuMs: (Number(stat[11]) + Number(stat[12])) * 10, memoryMb: Number(resident) / 1024 };
  } catch {
    return undefined;
  }
}
