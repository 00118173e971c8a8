/** Whole processes on one real database: orchestrators as `aiki start` makes them, and the app that they push to. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, client } from "@aikirun/client";
import { formatPublicKey, publicKeyFromJwk } from "@aikirun/protocol";
import { freePort, Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";

const READY_MS = 60_000;
const ADMIN_KEY = "chaos-admin-key-chaos-admin-key-0123";

export interface FleetOptions {
  readonly databaseUrl: string;
  readonly replicas: number;
  /** Settings of every orchestrator beside those without which it does not start. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Instead of `aiki start`: a program below this folder that ends up doing the same. */
  readonly program?: string;
  /** What stands in front of the app: given where the app is, tells the URL to register. */
  readonly front?: (appUrl: string) => Promise<string>;
}

/** One orchestrator, always on the same port; its process may come and go. */
export class Replica {
  readonly url: string;
  readonly aiki: Client;
  readonly #env: Record<string, string>;
  readonly #args: readonly string[];
  #program: Program | undefined;

  constructor(port: number, env: Record<string, string>, args: readonly string[]) {
    this.url = `http://127.0.0.1:${port}`;
    // Impatient, so that a test soon turns to the other replica.
    this.aiki = client({ url: this.url, apiKey: ADMIN_KEY, maxAttempts: 1, timeoutMs: 3_000 });
    this.#env = { ...env, PORT: String(port), AIKI_PUBLIC_URL: this.url };
    this.#args = args;
  }

  get pid(): number {
    return this.#running.pid;
  }

  get output(): string {
    return this.#program?.output ?? "";
  }

  get #running(): Program {
    if (!this.#program) throw new Error(`${this.url} was not started`);
    return this.#program;
  }

  async start(): Promise<void> {
    this.#program = new Program({ name: `aiki at ${this.url}`, cwd: root, args: this.#args, env: this.#env });
    await this.#program.line(/^aiki ready /, READY_MS);
  }

  async kill(): Promise<void> {
    await this.#running.kill();
    await this.#running.stop();
  }

  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
  }
}

export interface Fleet {
  readonly replicas: readonly Replica[];
  /** The first of them. */
  readonly aiki: Client;
  /** The file that the app appends to. */
  readonly log: string;
  /** What a request by hand needs. */
  readonly headers: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** The database has its schema already. Whatever was started is stopped again when something of it fails. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "chaos-"));
  const log = join(folder, "side-effects.log");
  writeFileSync(log, "");
  const replicas = await makeReplicas(options);
  let app: Program | undefined;
  const stop = async () => {
    await Promise.all([...replicas.map((replica) => replica.stop()), app?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(replicas.map((replica) => replica.start()));
    const { aiki } = replicas[0] as Replica;
    app = new Program({
      name: "the app",
      cwd: root,
      args: ["--import", "tsx", join(root, "test/chaos/app.ts")],
      // Any host: what stands in front of the app has another port, and each signs with the keys of the database.
      env: { LOG: log, NODE_ENV: "test", AIKI_PUBLIC_KEYS: await publicKeys(aiki) },
    });
    const [, port] = await app.line(/^listening (\d+)/, READY_MS);
    const appUrl = `http://127.0.0.1:${port}/api/aiki`;
    await aiki.registerEndpoint({ url: (await options.front?.(appUrl)) ?? appUrl, name: "app", concurrency: 256 });
    return { replicas, aiki, log, headers: { authorization: `Bearer ${ADMIN_KEY}` }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeReplicas({ databaseUrl, replicas, settings, program }: FleetOptions): Promise<Replica[]> {
  const env = {
    DATABASE_URL: databaseUrl,
    AIKI_SECRET: randomBytes(32).toString("base64"),
    AIKI_ADMIN_KEY: ADMIN_KEY,
    AIKI_EGRESS_ALLOW: "127.0.0.0/8",
    AIKI_HOST: "127.0.0.1",
    ...settings,
  };
  const args =
    program === undefined
      ? [join(root, "sdk/cli/dist/bin.js"), "start"]
      : ["--import", "tsx", join(root, "test/chaos", program), "start"];
  const made: Replica[] = [];
  for (let i = 0; i < replicas; i++) made.push(new Replica(await freePort(), env, args));
  return made;
}

async function publicKeys(aiki: Client): Promise<string> {
  const keys = (await aiki.publicKeys()).map(publicKeyFromJwk).filter((key) => key !== undefined);
  return keys.map(formatPublicKey).join(",");
}
