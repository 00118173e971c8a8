/** Makes the Worker's bundle, which wrangler deploys, miniflare runs and `@aikirun/server` brings along: `npm run build:worker`. */
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { root } from "./workspaces.js";

const folder = join(root, "server", "dist", "worker");
export const bundlePath = join(folder, "cloudflare.js");
const SOURCES = ["wrangler.toml", "package-lock.json", "server/src/**/*.ts", "sdk/protocol/dist/**/*.js"];

/** Makes it unless it is younger than everything that it is made of. Needs what `npm run build` makes. */
export function bundleWorker(): void {
  const newest = Math.max(...globSync(SOURCES, { cwd: root }).map((path) => statSync(join(root, path)).mtimeMs));
  if ((statSync(bundlePath, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return;
  mkdirSync(join(root, ".tmp"), { recursive: true });
  // Several that make it at the same time must not write into each other's.
  const draft = mkdtempSync(join(root, ".tmp", "worker-"));
  try {
    execFileSync(process.execPath, [join(root, "node_modules/wrangler/bin/wrangler.js"), ...dryRun(draft)], {
      cwd: root,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" },
      encoding: "utf8",
    });
    mkdirSync(folder, { recursive: true });
    renameSync(join(draft, "cloudflare.js"), bundlePath);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function dryRun(outdir: string): string[] {
  return ["deploy", "--dry-run", "--env=", "--outdir", outdir];
}

/** Bytes that are uploaded, and as many as they are compressed. */
export function bundleSize(): { readonly minified: number; readonly gzipped: number } {
  const bundle = readFileSync(bundlePath);
  return { minified: bundle.byteLength, gzipped: gzipSync(bundle).byteLength };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  bundleWorker();
  const { minified, gzipped } = bundleSize();
  console.log(`The Worker has ${Math.ceil(minified / 1024)} KiB, ${Math.ceil(gzipped / 1024)} KiB compressed.`);
}
