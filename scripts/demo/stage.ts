/** What the demo needs standing: an orchestrator with a Postgres of its own, and three apps. */
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, Program, sleep, stopAll } from "../processes.js";
import { root } from "../workspaces.js";

const CLI = join(root, "sdk/cli/dist/bin.js");
const READY_MS = 60_000;

export interface App {
  /** As the framework is called. */
  readonly name: string;
  /** Where it is served, for a browser. */
  readonly url: string;
  /** What the orchestrator pushes to, by the name it is registered under. */
  readonly endpoints: readonly { readonly name: string; readonly url: string }[];
}

export class Stage {
  readonly url: string;
  readonly #port: number;
  readonly #folder: string;
  #orchestrator: Program | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://localhost:${port}`;
    mkdirSync(join(root, ".tmp"), { recursive: true });
    this.#folder = mkdtempSync(join(root, ".tmp", "demo-"));
  }

  static async open(): Promise<Stage> {
    return new Stage(await freePort());
  }

  get data(): string {
    return join(this.#folder, "data");
  }

  /** Starts the orchestrator, or starts it again on the same data. */
  async startOrchestrator(): Promise<Program> {
    const program = new Program({
      name: "the orchestrator",
      cwd: this.#folder,
      args: [CLI, "dev", "--port", String(this.#port), "--data", this.data],
    });
    this.#orchestrator = program;
    await program.line(/^aiki ready /, READY_MS);
    return program;
  }

  /** `kill -9`: no warning, no goodbye. */
  async killOrchestrator(): Promise<void> {
    await this.#orchestrator?.kill();
  }

  /** Builds the Next.js app and starts all three, each on a port that is free now. */
  async startApps(): Promise<App[]> {
    return Promise.all([this.#startNext(), this.#startServer("Express", "express"), this.#startServer("Hono", "hono")]);
  }

  /** Runs one `aiki` command against this orchestrator and resolves with what it printed. */
  async aiki(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], {
      env: { ...process.env, AIKI_URL: this.url, NO_COLOR: "1" },
    });
    return stdout.trimEnd();
  }

  async close(): Promise<void> {
    await stopAll();
    await stopDatabase(this.data);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startServer(name: string, folder: string): Promise<App> {
    const port = await freePort();
    const program = new Program({
      name: `the ${name} app`,
      cwd: join(root, "examples", folder),
      args: ["dist/server.js"],
      env: { ...process.env, PORT: String(port), AIKI_URL: this.url, NODE_ENV: "production" },
    });
    await program.line(/ ready http/, READY_MS);
    const url = `http://localhost:${port}`;
    return { name, url, endpoints: [{ name: folder, url: `${url}/api/aiki` }] };
  }

  async #startNext(): Promise<App> {
    const cwd = join(root, "examples/next");
    const next = createRequire(join(cwd, "package.json")).resolve("next/dist/bin/next");
    const env = { ...process.env, AIKI_URL: this.url, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };
    execFileSync(process.execPath, [next, "build"], { cwd, env, stdio: "pipe" });
    const port = await freePort();
    const program = new Program({ name: "the Next.js app", cwd, args: [next, "start", "--port", String(port)], env });
    await program.line(/Ready in/, READY_MS);
    const url = `http://localhost:${port}`;
    const endpoints = [
      { name: "next-app-router", url: `${url}/api/aiki` },
      { name: "next-pages-router", url: `${url}/api/trials` },
    ];
    return { name: "Next.js", url, endpoints };
  }
}

/** The Postgres of an orchestrator that was killed and never came back has nobody else who would stop it. */
async function stopDatabase(data: string): Promise<void> {
  for (const file of ["postmaster.pid", "postgres/postmaster.pid", "pg/postmaster.pid", "db/postmaster.pid"]) {
    try {
      const pid = Number(readFileSync(join(data, file), "utf8").split("\n")[0]);
      process.kill(pid, "SIGINT");
      await sleep(1_000);
    } catch {
      // It has stopped, as it should.
    }
  }
}
