import { describe, expect, it } from "vitest";
import { readText } from "../repository/sources.js";

describe("docs/running.md", () => {
  it("lists every setting of the orchestrator, and no other", () => {
    const table = /const SETTINGS = \{(.+?)\n\} as const;/s.exec(readText("server/src/shell/env.ts"))?.[1] ?? "";
    const settings = [...table.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name]) => name);
    const listed = [...readText("docs/running.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(settings.length).toBeGreaterThan(10);
    expect(listed.toSorted()).toEqual(settings.toSorted());
  });
});
