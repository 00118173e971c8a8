import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../scripts/workspaces.js";

/** The compilers that an application may use: the oldest that is supported, and the one that builds Aiki. */
export const compilers = [
  { version: "5.4", folder: "test/oldest-typescript/node_modules/typescript" },
  { version: "7.0", folder: "node_modules/typescript" },
] as const;

/** Runs one of them. Its version is part of the outcome, so that the wrong one cannot pass for the right one. */
export function compile(
  folder: string,
  ...args: readonly string[]
): { readonly version: string; readonly errors: string } {
  const compiler = join(root, folder, "bin/tsc");
  return {
    version: output(compiler, "--version").replace(/^Version (\d+\.\d+).*/s, "$1"),
    errors: output(compiler, ...args),
  };
}

function output(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const text = stdout + stderr;
  return status === 0 || text !== "" ? text : `ended with ${status}`;
}
