import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Client, client } from "@aikirun/client";
import { freePort, Program } from "../scripts/processes.js";
import { root } from "../scripts/workspaces.js";

const READY_MS = 60_000;

export interface Orchestrator {
  readonly url: string;
  readonly aiki: Client;
  /** What it printed, for a failure's explanation. */
  output(): string;
  stop(): Promise<void>;
}

/** Starts `aiki dev`, as a person would, on a free port with new data. */
export async function startOrchestrator(runtime: "node" | "workers" = "node"): Promise<Orchestrator> {
  mkdirSync(join(root, ".tmp"), { recursive: true });
  const folder = mkdtempSync(join(root, ".tmp", "test-"));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const args = [
    join(root, "sdk/cli/dist/bin.js"),
    "dev",
    "--runtime",
    runtime,
    "--port",
    String(port),
    "--data",
    join(folder, "data"),
  ] as const;
  const program = new Program({ name: "the orchestrator", cwd: folder, args });
  await program.line(/^aiki ready /, READY_MS);
  return {
    url,
    aiki: client({ url }),
    output: () => program.output,
    async stop() {
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
