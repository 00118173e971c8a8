import { type Log, startServer, startWorkers } from "@aikirun/server";
import { withDatabase } from "../database-fault.js";
import type { DevSettings } from "./settings.js";

/** Where the orchestrator of `aiki dev` runs: in this process, or as a Worker in Cloudflare's runtime. */
export type Runtime = "node" | "workers";

export interface Host {
  readonly url: string;
  readonly hasDashboard: boolean;
  readonly warnings: readonly string[];
  onRunEnd(ended: (namespace: string, runId: string) => void): () => void;
  close(): Promise<void>;
}

export interface HostOptions {
  readonly given: DevSettings;
  readonly databaseUrl: string;
  readonly port: number;
  /** Of the data. */
  readonly folder: string;
  /** Of the project, as people name it. */
  readonly project: string;
  readonly log: Log;
}

export async function startHost(runtime: Runtime, options: HostOptions): Promise<Host> {
  const { given, databaseUrl, port, folder, project, log } = options;
  const { settings, texts } = given;
  if (runtime === "workers") {
    const secret = settings.AIKI_SECRET;
    return withDatabase(startWorkers({ databaseUrl, port, secret, folder, project, settings: texts, log }));
  }
  const serverSettings = { ...settings, DATABASE_URL: databaseUrl };
  return withDatabase(startServer({ settings: serverSettings, mode: "dev", folder: project, log }));
}
