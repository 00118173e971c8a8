/** The bounded matcher beside the runtime's own engine, which is right and cannot be stopped. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { compilePattern } from "../../src/schema/pattern.js";

const matches = (source: string, text: string) => compilePattern(source)?.(text).matches;

/** Expressions of all that is understood, small enough that the runtime's engine takes them fast. */
const atom = fc.constantFrom(
  "a",
  "b",
  "1",
  "-",
  "😀",
  ".",
  "\\d",
  "\\W",
  "\\s",
  "\\.",
  "\\u0061",
  "\\u{1F600}",
  "\\x62",
  "\\p{L}",
  "[a-c]",
  "[^a]",
  "[\\]\\d-]",
  "[\\s\\S]",
);
const quantifier = fc.constantFrom("", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,2}?", "{0}");
const { expression } = fc.letrec<{ expression: string; sequence: string; part: string }>((tie) => ({
  expression: fc.array(tie("sequence"), { minLength: 1, maxLength: 2 }).map((ways) => ways.join("|")),
  sequence: fc.array(tie("part"), { maxLength: 3 }).map((parts) => parts.join("")),
  part: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.tuple(atom, quantifier).map((parts) => parts.join("")),
    fc.constantFrom("^", "$", "\\b", "\\B"),
    fc
      .tuple(fc.constantFrom("(", "(?:", "(?<name>"), tie("expression"), quantifier)
      .map(([open, inner, many]) => `${open}${inner})${many}`),
    fc.tuple(fc.constantFrom("(?=", "(?!"), tie("expression")).map(([open, inner]) => `${open}${inner})`),
  ),
}));
const text = fc
  .array(fc.constantFrom("a", "b", "c", "1", "-", ".", " ", "\n", "]", "😀", "é"), { maxLength: 8 })
  .map((all) => all.join(""));

/** V8 by itself also looks between the two halves of a pair, which the standard does not. */
function holdsMatch(sticky: RegExp, given: string): boolean {
  let at = 0;
  const places = [...given].map((character) => {
    at += character.length;
    return at;
  });
  return [0, ...places].some((place) => {
    sticky.lastIndex = place;
    return sticky.test(given);
  });
}

describe("a pattern", () => {
  it("matches what the runtime's own engine matches", () => {
    const seen = { true: 0, false: 0, given_up: 0 };
    fc.assert(
      fc.property(expression, text, (source, given) => {
        let own: RegExp;
        try {
          own = new RegExp(source, "uy");
        } catch {
          // Two groups of one name.
          expect(compilePattern(source)).toBeUndefined();
          return;
        }
        const found = matches(source, given);
        seen[found === undefined ? "given_up" : (`${found}` as "true" | "false")]++;
        if (found !== undefined) expect(found).toBe(holdsMatch(own, given));
      }),
      { numRuns: 20_000 },
    );
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(1_000);
    expect(seen.given_up).toBeLessThan(200);
  });

  it.each([
    ["an e-mail address", z.email(), ["ada@example.test", "a.b+c@d-e.test"], ["ada", "a..b@c.de", "@c.de", "a@b"]],
    [
      "a UUID",
      z.uuid(),
      ["0191f3a0-7b1c-7def-8abc-0123456789ab"],
      ["0191f3a0", "0191f3a0-7b1c-7def-8abc-0123456789ag"],
    ],
    ["a date", z.iso.date(), ["2024-02-29"], ["2023-02-29", "2024-13-01"]],
    ["a date and time", z.iso.datetime(), ["2026-11-25T12:00:00.123Z"], ["2026-11-25", "2026-11-25T25:00:00Z"]],
    ["an IPv4 address", z.ipv4(), ["192.168.0.1"], ["256.0.0.1", "1.2.3"]],
    ["an IPv6 address", z.ipv6(), ["::1", "2001:db8::8a2e:370:7334"], ["12345::", ":::"]],
    ["Base64", z.base64(), ["aGk=", ""], ["aGk", "a==="]],
  ])("of zod for %s is understood", (_what, schema, right, wrong) => {
    const { pattern } = z.toJSONSchema(schema) as { pattern: string };
    expect(right.map((one) => matches(pattern, one))).toEqual(right.map(() => true));
    expect(wrong.map((one) => matches(pattern, one))).toEqual(wrong.map(() => false));
  });

  it.each(["(a)\\1", "(?<=a)b", "(?<!a)b", "(?<n>a)\\k<n>", "(?i:a)", "(", "a{2", "[b-a]", "\\-x"])(
    "%s is not understood, or none",
    (source) => {
      expect(compilePattern(source)).toBeUndefined();
    },
  );

  it.each([
    // What takes for ever, what is too deep for the stack, what is too long.
    ["^(a+)+$", `${"a".repeat(100)}b`],
    ["^(a|a)*$", `${"a".repeat(100)}b`],
    ["(.*)*x", "a".repeat(1_000)],
    ["^(([a-z])+.)+[A-Z]([a-z])+$", "a".repeat(500)],
    ["(?:a?){50}a{50}", "a".repeat(50)],
    ["a*a*a*a*a*b", "a".repeat(1_900)],
    ["(?:ab)*c", "ab".repeat(1_000)],
    ["x".repeat(3_000), "x"],
    [`${"(".repeat(200)}a${")".repeat(200)}`, "a"],
    ["a", "b".repeat(100_000)],
  ])("%# is given up in bounded work", (source, given) => {
    const startedAt = performance.now();
    const found = compilePattern(source)?.(given);
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(found?.matches).toBeUndefined();
    expect(found?.steps ?? 0).toBeLessThanOrEqual(20_001);
  });
});
