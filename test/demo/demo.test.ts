import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";

const DEMO_MS = 240_000;

describe("npm run demo", () => {
  let demo: Program | undefined;
  afterEach(() => demo?.stop());

  it("shows five runs through three frameworks and a kill -9, ends with 0 and leaves nothing behind", {
    timeout: DEMO_MS,
  }, async () => {
    const { program, mark } = start();
    demo = program;
    await program.line(/^All runs completed/, DEMO_MS);
    expect(await program.ended).toBe(0);
    expect(program.output.match(/^ {2}ok {3}/gm)).toHaveLength(5);
    // It may go on before it has said that it is ready.
    for (const later of ["orchestrator ready again", "hand-over"]) {
      expect(program.output).toMatch(new RegExp(`orchestrator killed with -9.+${later}`, "s"));
    }
    expect(processesWith(mark)).toEqual([]);
  });

  it("stays up with --stay, until Ctrl-C cleans everything up", { timeout: DEMO_MS }, async () => {
    const { program, mark } = start("--stay");
    demo = program;
    await program.line(/^Everything stays up/, DEMO_MS);
    const [, orchestrator] = await program.line(/^ {2}orchestrator +(http\S+)/, DEMO_MS);
    expect((await fetch(`${orchestrator}/health`)).status).toBe(200);
    // A terminal sends Ctrl-C to the whole group.
    program.killGroup("SIGINT");
    expect(await program.ended).toBe(0);
    expect(processesWith(mark)).toEqual([]);
  });
});

/** The demo as `npm run demo` runs it once everything is built. Its descendants all inherit the mark. */
function start(...args: readonly string[]): { program: Program; mark: string } {
  const mark = `DEMO_MARK=${randomUUID()}`;
  const env = { ...process.env, [mark.slice(0, 9)]: mark.slice(10), NODE_ENV: undefined };
  const tsx = join(root, "node_modules/tsx/dist/cli.mjs");
  const program = new Program({ name: "the demo", cwd: root, args: [tsx, "scripts/demo/main.ts", ...args], env });
  return { program, mark };
}

/** Command lines of processes that were started with this in their environment. Linux tells; elsewhere nothing is seen. */
function processesWith(mark: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => readProc(pid, "environ").includes(mark))
    .map((pid) => readProc(pid, "cmdline").replaceAll("\0", " "))
    .filter((line) => line !== "");
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
