/** A real Postgres of our own, in a folder: what `aiki dev` uses when there is no DATABASE_URL. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { access, chown, mkdir, open, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AikiError } from "@aikirun/protocol/canonical";
import pg from "pg";
import { lockData, processExists } from "./data-lock.js";
import { findPrograms, type Programs, postgresUid, spawnProgram } from "./postgres-binaries.js";

export interface EmbeddedPostgres {
  /** On the loopback address, with the password. */
  readonly url: string;
  /** Ends when the server has ended, wanted or not. */
  readonly exited: Promise<void>;
  /** Stops the server cleanly and gives up the folder. */
  close(): Promise<void>;
}

const START_MS = 30_000;
const STOP_MS = 15_000;
const DATABASE = "aiki";

/**
 * Starts the server that keeps its data in `<folder>/postgres`; the first time, makes it. Only one process at a time
 * owns a folder: throws `DATA_LOCKED` otherwise. A server that a killed owner left behind is stopped first.
 */
export async function startEmbeddedPostgres(folder: string): Promise<EmbeddedPostgres> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, ".gitignore"), "*\n");
  const unlock = await lockData(folder);
  try {
    const programs = await findPrograms();
    const password = await keptPassword(join(folder, "postgres.password"));
    const data = join(folder, "postgres");
    await stopOrphan(data);
    if (!(await exists(join(data, "PG_VERSION")))) await initialize(programs, folder, data, password);
    const server = await start(programs, folder, await realpath(data), password);
    return {
      url: server.url,
      exited: server.exited,
      close: async () => {
        await server.stop();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function keptPassword(path: string): Promise<string> {
  if (await exists(path)) return (await readFile(path, "utf8")).trim();
  const password = randomBytes(24).toString("base64url");
  await writeFile(path, password, { mode: 0o600 });
  return password;
}

/** In a folder that is renamed when it is whole: a start that is killed in the middle leaves nothing to trip over. */
async function initialize(programs: Programs, folder: string, data: string, password: string): Promise<void> {
  const draft = join(folder, "postgres.new");
  const passwordFile = join(folder, "postgres.initial-password");
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (postgresUid !== undefined) for (const path of [draft, passwordFile]) await chown(path, postgresUid, postgresUid);
  const log = await open(join(folder, "postgres.log"), "w");
  try {
    const args = [
      "-D",
      draft,
      "-U",
      DATABASE,
      `--pwfile=${passwordFile}`,
      "-A",
      "scram-sha-256",
      "-E",
      "UTF8",
      "--locale=C",
    ];
    const options = { stdio: ["ignore", log.fd, log.fd] as ["ignore", number, number] };
    const child = spawnProgram(programs.initdb, args, options, [draft, passwordFile]);
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) throw await failed("Postgres could not make its data folder", folder);
    await rename(draft, data);
  } finally {
    await log.close();
    await rm(passwordFile, { force: true });
  }
}

interface Running {
  readonly url: string;
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

async function start(programs: Programs, folder: string, data: string, password: string): Promise<Running> {
  const log = await open(join(folder, "postgres.log"), "a");
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "100",
    // Nobody replicates from here: less to write.
    wal_level: "minimal",
    max_wal_senders: "0",
    timezone: "UTC",
    log_timezone: "UTC",
  };
  const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  try {
    // In a process group of its own: Ctrl-C is for us, who stop it when nothing needs it any more.
    const child = spawnProgram(programs.postgres, args, { stdio: ["ignore", log.fd, log.fd], detached: true }, [data]);
    child.unref();
    const exited = once(child, "exit").then(() => {});
    const url = `postgres://${DATABASE}:${password}@127.0.0.1:${port}/${DATABASE}`;
    try {
      await ready(url, data, child, folder);
    } catch (error) {
      child.kill("SIGQUIT");
      throw error;
    }
    const guard = stopWithUs(child.pid as number);
    return { url, exited, stop: () => stop(child, exited, guard) };
  } finally {
    await log.close();
  }
}

/** Stops the server when this process is gone, however it went: then its end of the pipe closes. */
function stopWithUs(pid: number): ChildProcess | undefined {
  if (process.platform === "win32") return undefined;
  const args = ["-c", 'read -r _; kill -INT "$1" 2>/dev/null', "sh", String(pid)];
  const guard = spawn("/bin/sh", args, { stdio: ["pipe", "ignore", "ignore"], detached: true });
  guard.on("error", () => {});
  guard.unref();
  if (guard.stdin && "unref" in guard.stdin && typeof guard.stdin.unref === "function") guard.stdin.unref();
  return guard;
}

async function stop(child: ChildProcess, exited: Promise<void>, guard: ChildProcess | undefined): Promise<void> {
  guard?.kill("SIGKILL");
  // SIGINT: a fast shutdown (PostgreSQL manual, section 18.5). SIGQUIT: at once, with a recovery at the next start.
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
  const late = setTimeout(() => child.kill("SIGQUIT"), STOP_MS);
  await exited;
  clearTimeout(late);
}

/** Waits for the server, makes the database, and sees to it that it is ours who answers on that port. */
async function ready(url: string, data: string, child: ChildProcess, folder: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw await failed("Postgres did not start", folder);
    const client = new pg.Client({
      connectionString: url.replace(/[^/]*$/, "postgres"),
      connectionTimeoutMillis: 1_000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ data: string; made: boolean }>(
        "SELECT current_setting('data_directory') AS data, EXISTS (SELECT FROM pg_database WHERE datname = $1) AS made",
        [DATABASE],
      );
      if (rows[0] && (await realpath(rows[0].data)) === data) {
        if (!rows[0].made) await client.query(`CREATE DATABASE ${DATABASE}`);
        return;
      }
    } catch (error) {
      if (performance.now() > deadline) throw await failed("Postgres did not become ready", folder, error);
    } finally {
      await client.end().catch(() => {});
    }
    await delay(20);
  }
}

/**
 * A server that still runs on this data: its owner was killed. Its own lock file tells its number; whether that is
 * still a Postgres is asked of the system, because numbers are used again.
 */
async function stopOrphan(data: string): Promise<void> {
  const path = join(data, "postmaster.pid");
  const text = await readFile(path, "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0) || !processExists(pid)) return;
  if (await isSomethingElse(pid)) {
    await rm(path, { force: true });
    return;
  }
  process.kill(pid, "SIGINT");
  const deadline = performance.now() + STOP_MS;
  while (processExists(pid)) {
    if (performance.now() > deadline) {
      throw new AikiError(
        "DATA_LOCKED",
        `Process ${pid}, a Postgres that an earlier Aiki left behind, does not end. Stop it, then start again.`,
        { details: { pid } },
      );
    }
    await delay(20);
  }
}

/** Only where the system tells; elsewhere it is taken for a Postgres, which is the safe side. */
async function isSomethingElse(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  return command !== undefined && command !== "" && !command.includes("postgres");
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("A TCP server has a port.");
  return address.port;
}

async function failed(what: string, folder: string, cause?: unknown): Promise<AikiError> {
  const log = await readFile(join(folder, "postgres.log"), "utf8").catch(() => "");
  const last = log.trim().split("\n").slice(-5).join("\n");
  return new AikiError("DATABASE_UNAVAILABLE", `${what}. Its log is ${join(folder, "postgres.log")}:\n${last}`, {
    cause,
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
