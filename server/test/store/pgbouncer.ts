/** Debian's pgbouncer in transaction mode, in front of a test database. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

const PROGRAM = "/usr/sbin/pgbouncer";
export const hasPgbouncer = existsSync(PROGRAM);
/** It refuses to run as root. */
const uid = process.getuid?.() === 0 ? 65534 : undefined;

export interface Pgbouncer {
  /** The same database, through the pooler. */
  readonly url: string;
  close(): Promise<void>;
}

export async function startPgbouncer(databaseUrl: string): Promise<Pgbouncer> {
  const folder = await mkdtemp(join(tmpdir(), "aiki-pgbouncer-"));
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  const listen = await freePort();
  const config = join(folder, "pgbouncer.ini");
  const users = join(folder, "users.txt");
  await writeFile(users, `"${username}" "${decodeURIComponent(password)}"\n`);
  await writeFile(
    config,
    `[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listen}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
logfile = ${join(folder, "log")}
`,
  );
  if (uid !== undefined) for (const path of [folder, users, config]) await chown(path, uid, uid);
  const child = spawn(PROGRAM, ["-q", config], { stdio: "ignore", ...(uid === undefined ? {} : { uid, gid: uid }) });
  const exited = once(child, "exit");
  const url = `postgres://${username}@127.0.0.1:${listen}${pathname}`;
  await answering(url, () => child.exitCode !== null, join(folder, "log"));
  return {
    url,
    close: async () => {
      child.kill("SIGKILL");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answering(url: string, hasEnded: () => boolean, log: string): Promise<void> {
  for (;;) {
    if (hasEnded()) throw new Error(`pgbouncer ended: ${await readFile(log, "utf8").catch(() => "no log")}`);
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => {});
    const up = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
