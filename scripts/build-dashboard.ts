/** Builds the dashboard into the server's package, unless what is there is newer than every source of it. */
import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { root } from "./workspaces.js";

const SOURCES = ["server/dashboard/{src,public}/**/*", "server/dashboard/*.*", "package-lock.json"];
const built = join(root, "server/dist/dashboard/index.html");

const newest = Math.max(...SOURCES.flatMap((pattern) => globSync(pattern, { cwd: root })).map(changedAt));
if (!existsSync(built) || statSync(built).mtimeMs < newest) {
  await build({ root: join(root, "server/dashboard"), logLevel: "warn" });
}

function changedAt(path: string): number {
  return statSync(join(root, path)).mtimeMs;
}
