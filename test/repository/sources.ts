import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

// The newest TypeScript has no JavaScript API; the oldest that Aiki supports has, and parses these sources.
const require = createRequire(new URL("../oldest-typescript/package.json", import.meta.url));
const ts = require("typescript") as typeof import("../oldest-typescript/node_modules/typescript/lib/typescript.js");

/** Every file that git would hold, tracked or new, as paths from the root. */
export function repositoryFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.split("\n").filter((path) => path !== "" && isPresent(path));
}

function isPresent(path: string): boolean {
  try {
    readFileSync(join(root, path));
    return true;
  } catch {
    return false;
  }
}

export function readSource(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Module specifiers that a source imports or re-exports, types included; relative ones as paths from the root. */
export function importsOf(path: string): string[] {
  const { importedFiles } = ts.preProcessFile(readSource(path), true, true);
  return importedFiles.map(({ fileName }) =>
    fileName.startsWith(".") ? normalize(join(dirname(path), fileName)).replace(/\.js$/, ".ts") : fileName,
  );
}

/** Every identifier that a source uses, with its line; comments and strings do not count. */
export function identifiersOf(path: string): { readonly name: string; readonly line: number; readonly text: string }[] {
  const source = ts.createSourceFile(path, readSource(path), ts.ScriptTarget.Latest, true);
  const found: { name: string; line: number; text: string }[] = [];
  const visit = (node: import("../oldest-typescript/node_modules/typescript/lib/typescript.js").Node): void => {
    if (ts.isIdentifier(node)) {
      const parent = ts.isPropertyAccessExpression(node.parent) ? node.parent.getText(source) : node.text;
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push({ name: node.text, line: line + 1, text: parent });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
