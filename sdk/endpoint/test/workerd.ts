/** Starts a Worker in workerd, the runtime of Cloudflare Workers, without `nodejs_compat`: there is no module of Node. */
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

export interface WorkerOptions {
  /** One ESM module without imports. */
  readonly script: string;
  /** Vars and secrets. */
  readonly bindings: Readonly<Record<string, string>>;
  /** Beside those of `COMPATIBILITY`. */
  readonly flags?: readonly string[];
}

export interface RunningWorker {
  /** Without a slash at its end. */
  readonly origin: string;
  readonly output: () => string;
  close(): Promise<void>;
}

/** Those of the example's wrangler.toml; a test compares. */
export const COMPATIBILITY = {
  compatibilityDate: "2026-07-30",
  compatibilityFlags: ["enable_request_signal", "global_fetch_strictly_public"],
};

export async function startWorker({ script, bindings, flags = [] }: WorkerOptions): Promise<RunningWorker> {
  const lines: string[] = [];
  const worker = new Miniflare({
    ...COMPATIBILITY,
    compatibilityFlags: [...COMPATIBILITY.compatibilityFlags, ...flags],
    modules: true,
    script,
    bindings: { ...bindings },
    host: "127.0.0.1",
    port: 0,
    // Miniflare's own front collects answers and does not tell when a caller leaves: this socket is workerd's.
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      for (const stream of [stdout, stderr]) stream.on("data", (chunk: unknown) => lines.push(String(chunk)));
    },
  });
  await worker.ready;
  const { origin } = await worker.unsafeGetDirectURL();
  return { origin, output: () => lines.join(""), close: () => worker.dispose() };
}

/**
 * Makes one ESM module of a TypeScript module whose imports are looked up from a folder. Rejects for an import of a module
 * of Node: no platform is named that has any.
 */
export async function bundleForWorkers(module: string, resolveFrom: URL): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: module, resolveDir: fileURLToPath(resolveFrom), loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}
