import { ERROR_CODES } from "@aikirun/protocol/canonical";
import { describe, expect, it } from "vitest";
import { readText } from "../repository/sources.js";

describe("docs/errors.md", () => {
  it("lists every error code once, and no other", () => {
    const listed = [...readText("docs/errors.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
    expect(listed.toSorted()).toEqual([...ERROR_CODES].toSorted());
  });
});
