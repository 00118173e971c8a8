/**
 * Orchestrators, each on its runtime, outside of the tests' processes. Whoever starts one gives it the settings that are the same
 * everywhere and knows nothing of it but its URL.
 */
import { join } from "node:path";
import { freePort, Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";
import { startWorkersHost } from "../workers-host.js";
import type { HostName } from "./modes.js";

export interface Host {
  readonly url: string;
  stop(): Promise<void>;
}

/** `settings` name everything but where it listens. */
export type Launch = (settings: Readonly<Record<string, string>>) => Promise<Host>;

const READY_MS = 60_000;

const node: Launch = async (settings) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = new Program({
    name: "the orchestrator",
    cwd: root,
    args: [join(root, "sdk/cli/dist/bin.js"), "start"],
    env: { ...settings, AIKI_HOST: "127.0.0.1", PORT: String(port), AIKI_PUBLIC_URL: url },
  });
  await program.line(/^aiki ready /, READY_MS);
  let isWanted = true;
  void program.ended.then(() => {
    if (isWanted) console.error(`The orchestrator at ${url} has ended. Its last output:\n${program.output}`);
  });
  return {
    url,
    stop() {
      isWanted = false;
      return program.stop();
    },
  };
};

const CRON_MS = 60_000;

const workersOver =
  (driver: "neon" | "hyperdrive"): Launch =>
  async ({ DATABASE_URL: databaseUrl = "", AIKI_SECRET: _, ...settings }) => {
    const { url, close } = await startWorkersHost({ databaseUrl, driver, settings, needsKeys: true, cronMs: CRON_MS });
    return { url, stop: close };
  };

export const launchers: Readonly<Record<HostName, Launch>> = {
  node,
  "workers over Neon": workersOver("neon"),
  "workers over Hyperdrive": workersOver("hyperdrive"),
};
