import { describe, expect, it } from "vitest";
import { readText, repositoryFiles, ts, typescriptFiles, visit } from "./sources.js";

const MAX_LINES = 500;

/** Files that a framework or a tool finds by their default export. */
const DEFAULT_EXPORT = [
  /^vitest\.config\.ts$/,
  /^server\/dashboard\/vite\.config\.ts$/,
  /^server\/src\/shell\/cloudflare\.ts$/,
  /^examples\/next\/next\.config\.ts$/,
  /^examples\/next\/(.*\/)?(app|pages)\//,
  /^examples\/workers\/src\/worker\.ts$/,
  /^test\/fixtures\/product\/(anything-else|next-pages-router)\.ts$/,
];

const files = repositoryFiles();
const typescript = typescriptFiles();
const prose = files.filter((path) => !/\.(png|ico|gz|tgz)$/.test(path) && path !== "package-lock.json");

describe("the sources", () => {
  it("are read in one sitting: no file has more than 500 lines", () => {
    const code = files.filter((path) => /\.(tsx?|mjs|cjs|js|sql|css)$/.test(path));
    const long = code.filter((path) => readText(path).split("\n").length - 1 > MAX_LINES);
    expect(long).toEqual([]);
  });

  it("have no `any`, no enum and no suppressed type error", () => {
    const found: string[] = [];
    for (const path of typescript) {
      visit(path, (node, at) => {
        if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${at()} any`);
        if (ts.isEnumDeclaration(node)) found.push(`${at()} enum`);
      });
      if (/@ts-(ignore|nocheck)/.test(readText(path)) && !path.endsWith("style.test.ts"))
        found.push(`${path} @ts-ignore`);
    }
    expect(found).toEqual([]);
  });

  it("have no default exports, except where a framework demands them", () => {
    const found: string[] = [];
    for (const path of typescript.filter((path) => !DEFAULT_EXPORT.some((allowed) => allowed.test(path)))) {
      visit(path, (node, at) => {
        const byModifier = ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(isDefault);
        if (byModifier || (ts.isExportAssignment(node) && !node.isExportEquals)) found.push(at());
      });
    }
    expect(found).toEqual([]);
  });

  it("have names that say something", () => {
    expect(files.filter((path) => /(^|\/)(utils?|helpers?|common|types|misc|shared)(\.tsx?|\/)/.test(path))).toEqual(
      [],
    );
  });

  it("have no barrels besides the packages' index.ts", () => {
    const inner = typescript.filter((path) => path.endsWith("/index.ts"));
    const allowed =
      /^(server|(sdk|adapters)\/[^/]+|examples\/[^/]+)\/src\/index\.ts$|^sdk\/workflow\/src\/replay\/index\.ts$|^examples\/next\/pages\//;
    expect(inner.filter((path) => !allowed.test(path))).toEqual([]);
  });
});

describe("every file", () => {
  it("names no folder of somebody's machine", () => {
    const place = /(^|[\s"'`(=:])\/(home|root|Users|work)\/[\w.-]+/m;
    expect(prose.filter((path) => place.test(readText(path)))).toEqual([]);
  });

  it("leaves to the installing machine where packages come from", () => {
    const host = /https?:\/\/[\w.-]*(registry|npmmirror|verdaccio|artifactory|nexus)[\w.-]*/;
    expect(files.filter((path) => host.test(readText(path)) && !path.endsWith("style.test.ts"))).toEqual([]);
    expect(readText("package-lock.json")).not.toMatch(/"resolved": "https?:/);
  });
});

function isDefault(modifier: { readonly kind: number }): boolean {
  return modifier.kind === ts.SyntaxKind.DefaultKeyword;
}
