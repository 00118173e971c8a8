import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Node, SourceFile } from "../oldest-typescript/node_modules/typescript/lib/typescript.js";

export const root = fileURLToPath(new URL("../../", import.meta.url));

// The newest TypeScript has no JavaScript API; the oldest that Aiki supports has one, and parses these sources.
const require = createRequire(new URL("../oldest-typescript/package.json", import.meta.url));
export const ts: typeof import("../oldest-typescript/node_modules/typescript/lib/typescript.js") =
  require("typescript");

/** Every file that git holds or would hold, as paths from the root. */
export function repositoryFiles(): string[] {
  const listed = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  return listed.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
}

/** TypeScript that ships or runs, without declaration files. */
export function typescriptFiles(): string[] {
  return repositoryFiles().filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"));
}

export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export interface Import {
  /** A package, or the path from the root of a file of this repository. */
  readonly target: string;
  /** Nothing of it is there at run time. */
  readonly typeOnly: boolean;
}

export function importsOf(path: string): Import[] {
  const found: Import[] = [];
  visit(path, (node) => {
    if (ts.isImportDeclaration(node)) {
      const { importClause } = node;
      const named = importClause?.namedBindings;
      const eachIsType =
        named !== undefined && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly);
      found.push({
        target: targetOf(path, node.moduleSpecifier),
        typeOnly: importClause !== undefined && (importClause.isTypeOnly || (!importClause.name && eachIsType)),
      });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      found.push({ target: targetOf(path, node.moduleSpecifier), typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0]) {
      found.push({ target: targetOf(path, node.arguments[0]), typeOnly: false });
    }
  });
  return found;
}

function targetOf(from: string, specifier: Node): string {
  if (!ts.isStringLiteralLike(specifier)) return "(computed)";
  const name = specifier.text;
  return name.startsWith(".") ? normalize(join(dirname(from), name)).replace(/\.js$/, ".ts") : name;
}

/** Calls back with every node of a source; `at` gives a place as `path:line`. */
export function visit(path: string, see: (node: Node, at: () => string, source: SourceFile) => void): void {
  const source = ts.createSourceFile(path, readText(path), ts.ScriptTarget.Latest, true);
  const walk = (node: Node): void => {
    see(node, () => `${path}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}`, source);
    ts.forEachChild(node, walk);
  };
  walk(source);
}
