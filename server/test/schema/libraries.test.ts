/** The JSON Schemas that real libraries write, judged beside the libraries themselves. */
import type { JsonValue } from "@aikirun/protocol";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { isMisfit, Validator } from "../../src/schema/validator.js";

interface Described {
  readonly "~standard": {
    validate(value: unknown): unknown;
    readonly jsonSchema: { input(options: { target: "draft-2020-12" }): unknown };
  };
}

const Tree = z.object({
  name: z.string(),
  get kids() {
    return z.array(Tree).max(3);
  },
});

/** The same order in three libraries, and what else zod can say. */
const SCHEMAS: Readonly<Record<string, Described>> = {
  zod: z.object({
    id: z.string().min(2).max(4),
    cents: z.int().min(0).max(10),
    note: z.string().optional(),
    kind: z.enum(["a", "b"]),
    tags: z.array(z.string()).max(2),
  }),
  "zod, strict": z.strictObject({ id: z.string(), cents: z.number().multipleOf(0.5).nullable() }),
  "zod, union": z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), id: z.string() }),
    z.object({ kind: z.literal("b"), cents: z.number().gt(1).lt(5) }),
  ]),
  "zod, tuple and record": z.union([
    z.tuple([z.string(), z.number()]).rest(z.boolean()),
    z.record(z.string(), z.union([z.number(), z.null()])),
  ]),
  "zod, recursive": Tree,
  "zod, intersection": z.intersection(z.object({ id: z.string() }), z.object({ cents: z.number() })),
  valibot: toStandardJsonSchema(
    v.object({
      id: v.pipe(v.string(), v.minLength(2), v.maxLength(4)),
      cents: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10)),
      note: v.optional(v.string()),
      kind: v.picklist(["a", "b"]),
      tags: v.pipe(v.array(v.string()), v.maxLength(2)),
    }),
  ),
  "valibot, strict": toStandardJsonSchema(v.strictObject({ id: v.string(), cents: v.nullable(v.number()) })),
  ArkType: type({
    id: "2 <= string <= 4",
    cents: "0 <= number.integer <= 10",
    "note?": "string",
    kind: "'a' | 'b'",
    tags: "string[] <= 2",
  }) as unknown as Described,
  "ArkType, union": type({ kind: "'a'", id: "string" }).or({
    kind: "'b'",
    cents: "1 < number < 5",
  }) as unknown as Described,
};

const text = fc.oneof(fc.constantFrom("a", "b", "ab", "abcd", "abcde", "😀", ""), fc.string({ maxLength: 5 }));
const leaf = fc.oneof(
  text,
  fc.constantFrom(0, 1, 1.5, 3, 10, 11, -1, null, true),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const member = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.record({ id: leaf }, { requiredKeys: [] }));
const tree = fc.letrec((tie) => ({
  tree: fc.record({ name: text, kids: fc.array(tie("tree"), { maxLength: 4 }) }, { requiredKeys: ["name"] }),
})).tree;
/** Often nearly right: members that the schemas name, with values that are right every other time. */
const value = fc.oneof(
  fc.record(
    {
      id: fc.oneof(text, member),
      cents: fc.oneof(fc.integer({ min: -1, max: 11 }), member),
      note: fc.oneof(text, member),
      kind: fc.oneof(fc.constantFrom("a", "b"), member),
      tags: fc.oneof(fc.array(text, { maxLength: 3 }), member),
      more: member,
    },
    { requiredKeys: [] },
  ),
  fc.record({
    id: text,
    cents: fc.integer({ min: 0, max: 10 }),
    kind: fc.constantFrom("a", "b"),
    tags: fc.constant([]),
  }),
  fc.record({ id: text, cents: fc.oneof(fc.integer({ min: -1, max: 11 }), leaf) }),
  fc.dictionary(text, fc.oneof(fc.integer(), fc.constant(null), leaf), { maxKeys: 2 }),
  fc.tuple(text, fc.integer(), fc.oneof(fc.boolean(), leaf)),
  fc.array(leaf, { maxLength: 4 }),
  tree,
  leaf,
);

describe.each(Object.entries(SCHEMAS))("what %s says", (_name, schema) => {
  const standard = schema["~standard"];
  const validator = new Validator(standard.jsonSchema.input({ target: "draft-2020-12" }) as JsonValue);
  const takes = (it: unknown): boolean => !(standard.validate(it) as { issues?: unknown }).issues;

  it("and its JSON Schema are judged alike: what it takes is never a misfit, what it refuses never fits", () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(value, (given) => {
        const plain = JSON.parse(JSON.stringify(given)) as JsonValue;
        const verdict = validator.judge(plain);
        const taken = takes(plain);
        seen[taken ? "taken" : "refused"]++;
        if (taken) expect(verdict).not.toSatisfy(isMisfit);
        else expect(verdict).not.toBe("fits");
      }),
      { numRuns: 1_000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(10);
  });
});
