import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, workspaces } from "../../scripts/workspaces.js";
import { runNode, type Sandbox, sandbox, usersNode } from "./sandbox.js";

const published = workspaces().filter(({ manifest }) => manifest.private !== true);
const user = usersNode();

/** What may stand in a tarball beside compiled code. */
const CONTENTS =
  /^(dist\/.+\.(js|d\.ts)|dist\/dashboard\/.+\.(html|css|svg)|migrations\/.+\.sql|package\.json|README\.md|LICENSE)$/;

let packed: Sandbox;
beforeAll(() => {
  packed = sandbox();
});
afterAll(() => packed.remove());

describe.each(published)("$manifest.name", ({ folder, manifest }) => {
  const own = () => {
    const found = packed.packages.find((candidate) => candidate.manifest.name === manifest.name);
    if (!found) throw new Error(`${manifest.name} was not packed`);
    return found;
  };

  it("says what it is, under which licence, and for which Node", () => {
    expect(manifest).toMatchObject({
      description: expect.stringMatching(/\.$/),
      license: "Apache-2.0",
      type: "module",
      engines: { node: ">=20.19" },
    });
    expect(readFileSync(join(folder === "." ? root : join(root, folder), "LICENSE"), "utf8")).toBe(
      readFileSync(join(root, "LICENSE"), "utf8"),
    );
  });

  it("packs compiled code, its README and its licence, and nothing else", () => {
    expect(own().files.filter((path) => !CONTENTS.test(path))).toEqual([]);
    expect(own().files).toEqual(expect.arrayContaining(["package.json", "README.md", "LICENSE", "dist/index.js"]));
  });

  it("has types and a default for each entry, so that import and require both find it", () => {
    for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
      if (entry === "./package.json") continue;
      expect(target, entry).toEqual({ types: expect.any(String), default: expect.any(String) });
      for (const path of Object.values(target)) expect(existsSync(join(own().folder, path)), path).toBe(true);
    }
    for (const path of Object.values(manifest.bin ?? {})) expect(existsSync(join(own().folder, path)), path).toBe(true);
  });

  it(`is required by a CommonJS app and imported by an ESM app on Node ${user.version}`, () => {
    for (const entry of entriesOf(manifest)) {
      const keys = `console.log(Object.keys(m).filter((k) => k !== "__esModule").sort().join(" "))`;
      const required = runNode(packed.folder, ["--no-warnings", "-e", `const m = require("${entry}"); ${keys}`]);
      const imported = runNode(packed.folder, [
        "--no-warnings",
        "--input-type=module",
        "-e",
        `import * as m from "${entry}"; ${keys}`,
      ]);
      expect(required).toBe(imported);
    }
  });

  it("depends on exact versions, and on its siblings as they stand here", () => {
    for (const [name, version] of Object.entries(manifest.dependencies ?? {})) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
      const sibling = published.find((candidate) => candidate.manifest.name === name);
      if (sibling) expect(version, name).toBe(sibling.manifest.version);
    }
  });
});

describe("@aikirun/workflow", () => {
  it("never loads zod: an app that only starts runs does not ship it", () => {
    const bare = sandbox({ without: ["zod"] });
    try {
      const program = 'import("@aikirun/workflow").then((m) => console.log(typeof m.workflow))';
      expect(runNode(bare.folder, ["-e", program]).trim()).toBe("function");
      // The sandbox can tell: what needs zod does not load.
      expect(() => runNode(bare.folder, ["-e", 'import("@aikirun/protocol")'])).toThrow(/zod/);
    } finally {
      bare.remove();
    }
  });
});

function entriesOf({ name, exports }: (typeof published)[number]["manifest"]): string[] {
  return Object.keys(exports ?? {})
    .filter((entry) => entry !== "./package.json")
    .map((entry) => name + entry.slice(1));
}
