import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readText, repositoryFiles, root } from "../repository/sources.js";

const pages = repositoryFiles().filter((path) => path.endsWith(".md"));

describe("the documentation", () => {
  it.each(pages)("%s links only to what exists", (page) => {
    const targets = [...readText(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(
      ([, target]) => target ?? "",
    );
    expect(targets.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });

  it.each(pages)("%s names only files that exist", (page) => {
    const named = [
      ...readText(page).matchAll(/`((?:server|sdk|adapters|test|scripts|examples|docs|infra)\/[\w./-]+)`/g),
    ];
    const missing = named.map(([, path]) => path ?? "").filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  it("names only npm scripts that exist", () => {
    const { scripts } = JSON.parse(readText("package.json")) as { scripts: Record<string, string> };
    const own = ["README.md", "CONTRIBUTING.md", ...pages.filter((page) => page.startsWith("docs/"))];
    const named = own.flatMap((page) =>
      [...readText(page).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? ""),
    );
    // `npm run dev` is also what a reader types in their own app.
    expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([]);
  });
});
