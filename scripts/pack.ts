/** Packs every package that is published into `packed/` and says how to install them in an app. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { root, workspaces } from "./workspaces.js";

const destination = process.argv[2] ?? join(root, "packed");
rmSync(destination, { recursive: true, force: true });
mkdirSync(destination, { recursive: true });

const published = workspaces().filter(({ manifest }) => manifest.private !== true);
const names = published.flatMap(({ manifest }) => ["--workspace", manifest.name]);
execFileSync("npm", ["pack", "--loglevel=error", "--pack-destination", destination, ...names], {
  cwd: root,
  stdio: ["ignore", "ignore", "inherit"],
  shell: process.platform === "win32",
});

const shown = relative(process.cwd(), destination) || ".";
console.log(
  `${readdirSync(destination).length} packages in ${shown}. In your app:\n\n  npm install ${destination}/*.tgz\n`,
);
