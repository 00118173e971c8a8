/** A machine as a newcomer has it: their own Node, an empty place, and a registry that has never heard of `@aikirun`. */
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";
import { usersNode } from "../packages/sandbox.js";

/** No single command of a newcomer may take longer. */
const COMMAND_MS = 240_000;

export interface Newcomer {
  readonly folder: string;
  /** An empty folder beside the clone. */
  makeFolder(name: string): string;
  /** Keeps npm in a folder from finding `@aikirun` anywhere else. */
  useRegistry(folder: string): void;
  /** Types a command and waits until it ends. Throws with its output when it fails. */
  type(folder: string, command: string): Promise<string>;
  /** Types a command that stays. */
  leave(folder: string, command: string): Program;
  goAway(): Promise<void>;
}

export async function newcomer(): Promise<Newcomer> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "aiki-newcomer-")));
  pack(join(folder, "aiki", "packed"));
  const registry = createServer((_request, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  const { port } = registry.address() as AddressInfo;
  const env = ownEnvironment();
  const programs: Program[] = [];

  return {
    folder,
    makeFolder(name) {
      const made = join(folder, name);
      mkdirSync(made);
      return made;
    },
    useRegistry: (place) => writeFileSync(join(place, ".npmrc"), `@aikirun:registry=http://127.0.0.1:${port}/\n`),
    // Not the synchronous call: the registry above must be able to say no meanwhile.
    async type(cwd, command) {
      const { stdout } = await promisify(execFile)("bash", ["-c", command], { cwd, env, timeout: COMMAND_MS });
      return stdout;
    },
    leave(cwd, command) {
      const program = new Program({ name: command, cwd, command: "bash", args: ["-c", command], env });
      programs.push(program);
      return program;
    },
    async goAway() {
      for (const program of programs.reverse()) await program.stop();
      registry.closeAllConnections();
      registry.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function pack(destination: string): void {
  execFileSync(process.execPath, [join(root, "node_modules/tsx/dist/cli.mjs"), "scripts/pack.ts", destination], {
    cwd: root,
    stdio: "pipe",
  });
}

/** This process runs inside an npm script of the repository; a newcomer does not. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|node_env$|init_cwd$|vitest|aiki_|tsx_)/i.test(name),
  );
  const env = Object.fromEntries(own);
  const path = (env["PATH"] ?? "").split(delimiter).filter((place) => !place.includes("node_modules"));
  return {
    ...env,
    PATH: [dirname(usersNode().path), ...path].join(delimiter),
    NEXT_TELEMETRY_DISABLED: "1",
    NO_COLOR: "1",
  };
}
