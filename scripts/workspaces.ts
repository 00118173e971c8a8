import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../", import.meta.url));

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, string | { readonly types?: string; readonly default?: string }>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export interface Workspace {
  /** From the root, with forward slashes. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Every workspace of the repository, sorted by folder. */
export function workspaces(): Workspace[] {
  const { workspaces: patterns } = readManifest("package.json") as unknown as { workspaces: string[] };
  return globSync(
    patterns.map((pattern) => `${pattern}/package.json`),
    { cwd: root },
  )
    .map((path) => ({ folder: dirname(path).replaceAll("\\", "/"), manifest: readManifest(path) }))
    .sort((a, b) => a.folder.localeCompare(b.folder));
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest;
}
