import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AikiError } from "@aikirun/protocol/canonical";

export type Framework = "next-app" | "next-pages" | "express" | "hono" | "workers" | "plain";

/** What `aiki init` knows of the app it stands in. Paths are relative to its root and use `/`. */
export interface Project {
  readonly root: string;
  readonly framework: Framework;
  /** Where Next looks for routes: `app`, `src/app`, `pages` or `src/pages`. */
  readonly routes: string | undefined;
  readonly typescript: boolean;
  /** Whether files with the ordinary extension are ES modules. */
  readonly esm: boolean;
  /** What an import of a sibling TypeScript or JavaScript file ends in. */
  readonly importSuffix: "" | ".js" | ".ts" | ".mjs";
  /** The file that makes the Express or Hono app or that is the Worker, when it was found. */
  readonly appFile: string | undefined;
  /** Names of installed or declared packages. */
  readonly packages: ReadonlySet<string>;
  /** How this project adds a package: `npm install`, `pnpm add`, … */
  readonly addCommand: string;
}

interface Manifest {
  readonly type?: string;
  readonly main?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Looks at an app. Reads files, runs nothing. */
export function inspectProject(root: string): Project {
  const manifest = readManifest(root);
  const packages = new Set([
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.devDependencies ?? {}),
  ]);
  const tsconfig = readText(root, "tsconfig.json");
  const typescript = tsconfig !== undefined || packages.has("typescript");
  const { framework, routes } = findFramework(root, packages);
  const next = framework === "next-app" || framework === "next-pages";
  const esm = next || manifest.type === "module";
  return {
    root,
    framework,
    routes,
    typescript,
    esm,
    importSuffix: next ? "" : suffixOf(typescript, esm, framework, tsconfig ?? ""),
    appFile: appFileOf(root, framework, manifest.main),
    packages,
    addCommand: addCommandOf(root),
  };
}

function readManifest(root: string): Manifest {
  const text = readText(root, "package.json");
  if (text === undefined) {
    throw new AikiError(
      "INVALID_ARGUMENT",
      `There is no package.json in ${root}. Go to your app's folder, or make one with \`npm init -y\`.`,
    );
  }
  try {
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest === "object" && manifest !== null) return manifest;
  } catch {
    // Told below, with the file's name.
  }
  throw new AikiError("INVALID_ARGUMENT", `${join(root, "package.json")} is not a JSON object.`);
}

function findFramework(root: string, packages: ReadonlySet<string>): Pick<Project, "framework" | "routes"> {
  if (packages.has("next")) {
    // Next prefers folders at the root over those in src/, and the app router over the pages router.
    const routes = ["app", "src/app", "pages", "src/pages"].find((folder) => existsSync(join(root, folder)));
    const fallback = existsSync(join(root, "src")) ? "src/app" : "app";
    return { framework: routes?.endsWith("pages") ? "next-pages" : "next-app", routes: routes ?? fallback };
  }
  if (packages.has("express")) return { framework: "express", routes: undefined };
  if (packages.has("hono")) return { framework: "hono", routes: undefined };
  if (wranglerText(root) !== undefined) return { framework: "workers", routes: undefined };
  return { framework: "plain", routes: undefined };
}

function suffixOf(typescript: boolean, esm: boolean, framework: Framework, tsconfig: string): Project["importSuffix"] {
  if (!typescript) return !esm && framework === "plain" ? ".mjs" : ".js";
  const keepsExtension = /"(allowImportingTsExtensions|rewriteRelativeImportExtensions)"\s*:\s*true/.test(tsconfig);
  return keepsExtension ? ".ts" : ".js";
}

/** A Worker's configuration, in any of the forms that wrangler reads. */
function wranglerText(root: string): string | undefined {
  for (const name of ["wrangler.jsonc", "wrangler.json", "wrangler.toml"]) {
    const text = readText(root, name);
    if (text !== undefined) return text;
  }
  return undefined;
}

function appFileOf(root: string, framework: Framework, main: string | undefined): string | undefined {
  if (framework === "express" || framework === "hono") return findAppFile(root, framework, main);
  if (framework !== "workers") return undefined;
  // `main = "src/index.ts"` or `"main": "src/index.ts"`.
  return /^\s*"?main"?\s*[=:]\s*"(?:\.\/)?([^"]+)"/m.exec(wranglerText(root) ?? "")?.[1];
}

function findAppFile(root: string, framework: "express" | "hono", main: string | undefined): string | undefined {
  const call = framework === "express" ? /\bexpress\(\)/ : /\bnew Hono\b/;
  const names = ["index", "server", "app", "main"].flatMap((name) => [`src/${name}`, name]);
  const candidates = names.flatMap((name) =>
    [".ts", ".tsx", ".mts", ".js", ".mjs", ".cjs"].map((suffix) => name + suffix),
  );
  return [...(main === undefined ? [] : [main]), ...candidates].find((file) => call.test(readText(root, file) ?? ""));
}

function addCommandOf(root: string): string {
  if (existsSync(join(root, "pnpm-lock.yaml"))) return "pnpm add";
  if (existsSync(join(root, "yarn.lock"))) return "yarn add";
  if (existsSync(join(root, "bun.lock")) || existsSync(join(root, "bun.lockb"))) return "bun add";
  return "npm install";
}

function readText(root: string, file: string): string | undefined {
  try {
    return readFileSync(join(root, file), "utf8");
  } catch {
    return undefined;
  }
}
