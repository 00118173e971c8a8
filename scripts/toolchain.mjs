#!/usr/bin/env node
/**
 * `node scripts/toolchain.mjs COMMAND [ARGUMENTS]` runs a command line with the project's own toolchain: it installs what
 * is missing, puts `node_modules/.bin` (with Node 24 from the devDependency `node`) first on the PATH and hands over.
 * This file itself runs on any Node >= 20.19, and under Bun, with nothing installed.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const onWindows = process.platform === "win32";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) fail("usage: node scripts/toolchain.mjs COMMAND [ARGUMENTS]");

const env = { ...process.env };
const pathKey = Object.keys(env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
env[pathKey] = [bin, env[pathKey]].filter(Boolean).join(delimiter);

if (!isInstalled()) install();
checkNode();
await run();

/** Whether node_modules holds what the lockfile demands, and the lockfile what the manifests demand. */
function isInstalled() {
  const wanted = readJson("package-lock.json")?.packages;
  const present = readJson("node_modules", ".package-lock.json")?.packages;
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes("node_modules/")) return sameDependencies(entry, readJson(path, "package.json"));
    if (entry.optional || entry.peer) return true;
    return present[path] !== undefined && present[path].version === entry.version;
  });
}

function sameDependencies(locked, manifest) {
  return ["dependencies", "devDependencies"].every((kind) => {
    const [before, after] = [locked[kind] ?? {}, manifest?.[kind] ?? {}];
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].every((name) => before[name] === after[name]);
  });
}

function readJson(...path) {
  try {
    return JSON.parse(readFileSync(join(root, ...path), "utf8"));
  } catch {
    return undefined;
  }
}

function install() {
  console.log("Installing what is missing (npm install) ...");
  const outcome = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: onWindows,
    env: installEnv(),
  });
  if (outcome.error)
    fail(`npm could not be started (${outcome.error.message}). Install Node.js 20.19 or newer with npm.`);
  if (outcome.status !== 0) fail("npm install failed; what it printed is above.");
}

/** npm hands its settings to its children as variables; an install inside a script must not inherit a `--workspace`. */
function installEnv() {
  const inherited = { ...process.env };
  for (const key of Object.keys(inherited)) {
    if (/^npm_config_(workspaces?|include_workspace_root|global|prefix|local_prefix)$/i.test(key))
      delete inherited[key];
  }
  return inherited;
}

function checkNode() {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies.node;
  const found = spawnSync("node", ["--version"], { env, encoding: "utf8", shell: onWindows }).stdout?.trim().slice(1);
  if (found === wanted) return;
  fail(
    `The toolchain needs Node ${wanted}, which comes from the npm package "node", but ${found || "none"} answers.\n` +
      'Its install script was probably switched off. Run "npm rebuild node" or "npm install --ignore-scripts=false".',
  );
}

/** Runs the command, passes signals on and ends as it ended. */
async function run() {
  const child = spawn(command, args, { cwd: root, env, stdio: "inherit", shell: onWindows });
  // The terminal sends Ctrl-C to the whole group; this process only has to outlive its child.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve) => {
    child.on("error", (error) => fail(`${command} could not be started: ${error.message}`));
    child.on("exit", (exitCode, signal) => resolve(exitCode ?? (signal === "SIGINT" ? 130 : 143)));
  });
  process.exit(code);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
