/** The orchestrator on Workers for tests: the bundle that `wrangler deploy --dry-run` makes, in workerd, with real objects. */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { bundleWorker } from "../scripts/bundle-worker.js";
import { freePort } from "../scripts/processes.js";
import { root } from "../scripts/workspaces.js";
import { startWorkers, type WorkersOptions, type WorkersServer } from "../server/src/shell/workers.js";

export interface WorkersHostOptions
  extends Pick<WorkersOptions, "databaseUrl" | "driver" | "settings" | "needsKeys" | "alarms" | "log"> {
  /** Between two runs of the cron trigger. Default: it runs only when a test says so. */
  readonly cronMs?: number;
}

export interface WorkersHost {
  readonly url: string;
  /** Runs the cron trigger now. */
  cron(): Promise<void>;
  /** `kill -9` of the runtime. Then it is gone until `start`. */
  kill(): Promise<void>;
  /** On the same port, with the objects' storage as it was. */
  start(): Promise<void>;
  /** Processes of the runtime. */
  pids(): readonly number[];
  /** Deletes what every object stored. Between `kill` and `start`. */
  dropDurableObjects(): void;
  close(): Promise<void>;
}

/** Other tests use the same server. */
const CONNECTIONS = "12";
const SECRET = new Uint8Array(32).fill(7);

/** Starts it on a free port. The database has this version's schema. Needs what `npm run build` makes. */
export async function startWorkersHost(options: WorkersHostOptions): Promise<WorkersHost> {
  bundleWorker();
  const { cronMs = null, settings, ...rest } = options;
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "objects-"));
  const port = await freePort();
  const open = () =>
    startWorkers({
      log: { info() {}, warn: console.warn, error: console.error },
      ...rest,
      port,
      cronMs,
      folder,
      secret: SECRET,
      settings: { AIKI_DB_CONNECTIONS: CONNECTIONS, ...settings },
    });
  let server: WorkersServer | undefined = await open();
  return {
    url: server.url,
    cron: async () => server?.cron(),
    async kill() {
      for (const pid of runtimes(port)) process.kill(pid, "SIGKILL");
      while (runtimes(port).length > 0) await pause(5);
      await server?.close().catch(() => {});
      server = undefined;
    },
    async start() {
      server ??= await open();
    },
    pids: () => runtimes(port),
    dropDurableObjects: () => rmSync(join(folder, "objects"), { recursive: true, force: true }),
    async close() {
      await server?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Processes of workerd that listen on this port, by proc(5). */
function runtimes(port: number): number[] {
  return globSync("[0-9]*", { cwd: "/proc" })
    .filter((pid) => isRuntime(pid, port))
    .map(Number);
}

function isRuntime(pid: string, port: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return (
      words.includes("workerd") &&
      words.includes(`:${port}`) &&
      !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")
    );
  } catch {
    return false;
  }
}
