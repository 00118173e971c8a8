import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bundleSize, bundleWorker } from "../../scripts/bundle-worker.js";
import { root } from "../../scripts/workspaces.js";
import { COMPATIBILITY } from "../../server/src/shell/workers.js";

const MOST_MINIFIED = 1024 * 1024;
const MOST_GZIPPED = 300 * 1024;

it("wrangler deploy --dry-run makes a Worker that stays small", () => {
  bundleWorker();
  const { minified, gzipped } = bundleSize();
  console.log(`the Worker: ${Math.ceil(minified / 1024)} KiB minified, ${Math.ceil(gzipped / 1024)} KiB gzip`);
  expect(minified).toBeLessThan(MOST_MINIFIED);
  expect(gzipped).toBeLessThan(MOST_GZIPPED);
});

it("this machine's runtime is told what wrangler.toml says", () => {
  const text = readFileSync(join(root, "wrangler.toml"), "utf8");
  const said = (name: string) => JSON.parse(new RegExp(`^${name} = (.*)$`, "m").exec(text)?.[1] ?? "null") as unknown;
  expect(COMPATIBILITY).toEqual({ date: said("compatibility_date"), flags: said("compatibility_flags") });
});
