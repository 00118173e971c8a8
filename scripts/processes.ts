/** Programs that a script starts and surely ends again, with everything that they started themselves. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** How long a program may take to stop by itself before it is killed. */
const STOP_GRACE_MS = 10_000;
/** How long the last output of a program that has ended is waited for. */
const LAST_LINES_MS = 500;
/** How many lines of output are kept to explain a failure. */
const KEPT_LINES = 200;

export interface ProgramOptions {
  /** What people call it. */
  readonly name: string;
  readonly cwd: string;
  /** Default: the Node that runs this. */
  readonly command?: string;
  readonly args: readonly string[];
  /** Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

const running = new Set<Program>();
// The last resort, for an exit that nobody planned: whole process groups, at once.
process.on("exit", () => {
  for (const program of running) program.killGroup("SIGKILL");
});

/** A running program, in a process group of its own. */
export class Program {
  readonly name: string;
  readonly pid: number;
  /** Resolves once the process itself is gone, with its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  /** Called with each new line, and with nothing when the program has ended. */
  readonly #watchers = new Set<(line: string | undefined) => void>();
  #hasEnded = false;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#child = spawn(options.command ?? process.execPath, options.args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    if (this.#child.pid === undefined) throw new Error(`${this.name} could not be started`);
    this.pid = this.#child.pid;
    running.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.#see(line));
    }
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", async (code) => {
        // Its last lines may still be on their way; something that it left behind may hold its outputs open for ever.
        await Promise.race([once(this.#child, "close"), sleep(LAST_LINES_MS)]);
        this.#hasEnded = true;
        this.#tell(undefined);
        resolve(code);
      });
    });
  }

  /** The newest lines of both outputs. */
  get output(): string {
    return this.#lines.join("\n");
  }

  /** Resolves with the first match in a line of output. Rejects when the program ends or the time runs out before. */
  async line(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const first = this.#lines.map((line) => pattern.exec(line)).find((match) => match !== null);
    if (first) return first;
    return new Promise((resolve, reject) => {
      const settle = (outcome: RegExpExecArray | string): void => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        if (typeof outcome !== "string") resolve(outcome);
        else reject(new Error(`${this.name} ${outcome}. Its last output:\n${this.output}`));
      };
      const watch = (line: string | undefined): void => {
        const match = line === undefined ? null : pattern.exec(line);
        if (match) settle(match);
        else if (line === undefined) settle("ended");
      };
      const timer = setTimeout(() => settle(`was not ready after ${timeoutMs / 1000} s`), timeoutMs);
      this.#watchers.add(watch);
      if (this.#hasEnded) settle("ended");
    });
  }

  /** Kills this process and nothing else, without any warning. */
  async kill(): Promise<void> {
    process.kill(this.pid, "SIGKILL");
    await this.ended;
  }

  /** Asks it to stop, waits, and then ends whatever is left of its group. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.killGroup("SIGTERM");
    const grace = new AbortController();
    await Promise.race([this.ended, sleep(STOP_GRACE_MS, grace.signal)]);
    grace.abort();
    this.killGroup("SIGKILL");
    running.delete(this);
  }

  killGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }

  #see(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    this.#tell(line);
  }

  #tell(line: string | undefined): void {
    for (const watcher of [...this.#watchers]) watcher(line);
  }
}

/** Stops everything that was started, newest first. */
export async function stopAll(): Promise<void> {
  for (const program of [...running].reverse()) await program.stop();
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
