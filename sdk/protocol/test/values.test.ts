import { describe, expect, it } from "vitest";
import { entryKeySchema, nameSchema, referenceIdSchema, versionSchema } from "../src/index.js";

describe.each([
  ["a name", nameSchema, (text: string) => text],
  ["a version", versionSchema, (text: string) => text],
  ["a reference", referenceIdSchema, (text: string) => text],
  ["an entry key", entryKeySchema, (text: string) => `task:${text}:abc#0`],
])("%s", (_, schema, wrap) => {
  it.each(["a", "naïve-ß-名前-𝄞", "x".repeat(90)])("may be %s", (text) => {
    expect(schema.safeParse(wrap(text)).success).toBe(true);
  });

  it.each([
    ["U+0000", "a\u0000b"],
    ["another control character", "a\u001bb"],
    ["DEL", "a\u007f"],
    ["a high surrogate alone", "a\ud800"],
    ["a low surrogate alone", "\udc00b"],
    ["surrogates the wrong way round", "\udc00\ud800"],
  ])("may not hold %s: no database could keep it as it is", (_, text) => {
    expect(schema.safeParse(wrap(text)).success).toBe(false);
  });
});
