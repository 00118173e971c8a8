/** The Worker on this machine: the bundle that is deployed, in Cloudflare's own runtime, by Miniflare. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { AikiError } from "@aikirun/protocol";
import type { Miniflare, MiniflareOptions, Request, Response } from "miniflare";
import type { Assets } from "../api/pages.js";
import type { Log, LogFields } from "../log.js";
import { openPostgresStore } from "../store/postgres/store.js";
import { diskAssets } from "./disk-assets.js";
import { every } from "./every.js";
import { jsonLog } from "./json-log.js";
import { type LocalHost, RUN_ENDED } from "./local-host.js";
import { startNeonProxy } from "./neon-proxy.js";

export interface WorkersOptions {
  /** A Postgres on this machine, with this version's schema. */
  readonly databaseUrl: string;
  /** How the Worker reaches it. Default: `neon`, which needs fewer connections of a server without a pooler. */
  readonly driver?: "hyperdrive" | "neon";
  readonly port: number;
  readonly secret: Uint8Array;
  /** Where objects keep their alarms. */
  readonly folder: string;
  /** Which `/health` names. */
  readonly project?: string;
  /** More settings, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** As where it is deployed. Default: callers from this machine need no key. */
  readonly needsKeys?: boolean;
  /** False: objects never wake by themselves. */
  readonly alarms?: boolean;
  /** Between two runs of the cron trigger; null: never by itself. Default: a minute. */
  readonly cronMs?: number | null;
  readonly log?: Log;
}

export interface WorkersServer {
  readonly url: string;
  readonly hasDashboard: boolean;
  /** One sentence for each way in which this database may lose acknowledged writes. */
  readonly warnings: readonly string[];
  /** Calls `ended` for every run that ends here. Returns what stops it. */
  onRunEnd(ended: (namespace: string, runId: string) => void): () => void;
  /** Runs the cron trigger now. */
  cron(): Promise<void>;
  close(): Promise<void>;
}

const CRON_MS = 60_000;
/** Miniflare needs it, and says so less plainly. */
const OLDEST_NODE = [22, 12] as const;
/** What `wrangler.toml` says, as far as this runtime knows it. A test compares the two. */
export const COMPATIBILITY = {
  date: "2026-07-30",
  flags: ["nodejs_compat", "global_fetch_strictly_public"],
} as const;
const OBJECTS = { RUNS: "RunObject", DESKS: "DeskObject", CLOCK: "ClockObject" } as const;
/** Made by `npm run build:worker`; the package brings it along. */
const BUNDLE = new URL("../../dist/worker/cloudflare.js", import.meta.url);

/** Throws `SETTING_INVALID` when Node is too old or Miniflare is not installed, and `PORT_IN_USE`. */
export async function startWorkers(options: WorkersOptions): Promise<WorkersServer> {
  const loaded = await loadMiniflare();
  const assets = await diskAssets();
  const { warnings } = await checkDatabase(options.databaseUrl);
  const listeners = new Set<(namespace: string, runId: string) => void>();
  const proxy = options.driver === "hyperdrive" ? undefined : await startNeonProxy(options.databaseUrl);
  let miniflare: Miniflare | undefined;
  try {
    miniflare = new loaded.Miniflare(
      await miniflareOptions(options, proxy?.address, listeners, assets && serving(assets, loaded)),
    );
    await miniflare.ready;
  } catch (error) {
    await miniflare?.dispose().catch(() => {});
    await proxy?.close();
    throw /EADDRINUSE|[Aa]ddress already in use/.test(String(error)) ? portInUse(options.port) : error;
  }
  const running = miniflare;
  const cron = async () => {
    const worker = await running.getWorker();
    await worker.scheduled();
  };
  const cronMs = options.cronMs === undefined ? CRON_MS : options.cronMs;
  const stopCron = cronMs === null ? () => {} : every(cronMs, cron, () => {});
  return {
    url: `http://localhost:${options.port}`,
    hasDashboard: assets !== undefined,
    warnings,
    onRunEnd(ended) {
      listeners.add(ended);
      return () => listeners.delete(ended);
    },
    cron,
    async close() {
      stopCron();
      await running.dispose();
      await proxy?.close();
    },
  };
}

/** Before a Worker is started that could only say the same with each request. */
async function checkDatabase(url: string): Promise<{ readonly warnings: readonly string[] }> {
  const { store, warnings } = await openPostgresStore({ url, maxConnections: 1 });
  await store.close();
  return { warnings };
}

type ServesAssets = (request: Request) => Promise<Response>;

/** As the platform serves what lies beside a Worker. */
function serving(assets: Assets, { Response }: Awaited<ReturnType<typeof loadMiniflare>>): ServesAssets {
  return async (request) => {
    const file = await assets.get(new URL(request.url).pathname, "identity");
    if (!file) return new Response(null, { status: 404 });
    const { body, contentType, etag } = file;
    return new Response(body, { headers: { "content-type": contentType, ...(etag !== undefined && { etag }) } });
  };
}

type Listeners = ReadonlySet<(namespace: string, runId: string) => void>;

async function miniflareOptions(
  options: WorkersOptions,
  neon: string | undefined,
  listeners: Listeners,
  assets: ServesAssets | undefined,
): Promise<MiniflareOptions> {
  const { databaseUrl, port, folder, secret, settings = {}, project = process.cwd() } = options;
  const { alarms = true, needsKeys = false } = options;
  const local: LocalHost = {
    open: !needsKeys,
    pid: process.pid,
    folder: project,
    alarms,
    ...(neon !== undefined && { neon }),
  };
  const classes = Object.entries(OBJECTS).map(([name, className]) => [name, { className, useSQLite: true }] as const);
  return {
    host: "127.0.0.1",
    port,
    modules: [{ type: "ESModule", path: "cloudflare.js", contents: await readBundle() }],
    compatibilityDate: COMPATIBILITY.date,
    compatibilityFlags: [...COMPATIBILITY.flags],
    ...(assets && { serviceBindings: { ASSETS: assets } }),
    durableObjects: Object.fromEntries(classes),
    durableObjectsPersist: join(folder, "objects"),
    ...(neon === undefined && { hyperdrives: { HYPERDRIVE: databaseUrl } }),
    bindings: {
      AIKI_PUBLIC_URL: `http://localhost:${port}`,
      AIKI_SECRET: Buffer.from(secret).toString("base64"),
      ...(neon !== undefined && { DATABASE_URL: databaseUrl }),
      LOCAL: JSON.stringify(local),
      ...settings,
    },
    handleRuntimeStdio: (out: Readable, err: Readable) => {
      for (const stream of [out, err]) relay(stream, options.log ?? jsonLog(), listeners);
    },
  };
}

async function readBundle(): Promise<string> {
  return readFile(BUNDLE, "utf8").catch((error: unknown) => {
    throw new AikiError(
      "SETTING_INVALID",
      "The Worker's bundle is missing. In Aiki's repository: npm run build:worker.",
      {
        cause: error,
      },
    );
  });
}

async function loadMiniflare(): Promise<typeof import("miniflare")> {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [needed, least] = OLDEST_NODE;
  if (major < needed || (major === needed && minor < least)) {
    throw new AikiError(
      "SETTING_INVALID",
      `--runtime workers needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node}.`,
    );
  }
  return import("miniflare").catch((error: unknown) => {
    throw new AikiError(
      "SETTING_INVALID",
      "--runtime workers needs Miniflare, which is not installed: npm install --save-dev miniflare@4",
      { cause: error },
    );
  });
}

/** The Worker writes JSON lines; the runtime itself writes whatever it likes. */
function relay(stream: Readable, log: Log, listeners: Listeners): void {
  createInterface({ input: stream }).on("line", (line) => {
    const entry = parse(line);
    if (entry?.message === RUN_ENDED) {
      for (const ended of listeners) ended(String(entry.fields["namespace"]), String(entry.fields["run"]));
    } else if (entry) log[entry.level](entry.message, entry.fields);
    else if (line.trim() !== "") log.warn(line);
  });
}

function parse(line: string): { level: keyof Log; message: string; fields: LogFields } | undefined {
  try {
    const { level, message, time: _, ...fields } = JSON.parse(line) as Record<string, unknown>;
    if (level !== "info" && level !== "warn" && level !== "error") return undefined;
    return { level, message: String(message), fields: fields as LogFields };
  } catch {
    return undefined;
  }
}

function portInUse(port: number): AikiError {
  return new AikiError(
    "PORT_IN_USE",
    `Port ${port} is used by another program. Stop it, or: aiki dev --port ${port + 10}.`,
  );
}
