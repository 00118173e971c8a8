import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../scripts/workspaces.js";
import { compile, compilers } from "../compilers.js";

describe("the code that users are promised", () => {
  it.each(compilers)("compiles on TypeScript $version, refusals included", ({ version, folder }) => {
    const project = join(root, "test/fixtures/product");
    expect(compile(folder, "--project", project)).toEqual({ version, errors: "" });
  });
});
