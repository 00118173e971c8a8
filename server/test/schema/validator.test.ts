import { type JsonValue, LIMITS } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { isMisfit, misfitText, Validator } from "../../src/schema/validator.js";

function verdict(schema: JsonValue, value: JsonValue): string {
  const found = new Validator(schema).judge(value);
  return isMisfit(found) ? misfitText(found) : found;
}

/** As text: an object with the member `then` would be taken for a promise. */
const STRINGS_ARE_LONG: JsonValue = JSON.parse('{"if":{"type":"string"},"then":{"minLength":1},"else":{"const":0}}');

/** What a keyword says of a value: fits, unknown, or the misfit's words. */
const CASES: readonly [schema: JsonValue, value: JsonValue, verdict: string][] = [
  [true, 1, "fits"],
  [false, 1, "is not expected"],
  [{}, null, "fits"],
  [{ type: "string" }, 1, "expected string, received number"],
  [{ type: ["string", "null"] }, null, "fits"],
  [{ type: ["string", "null"] }, [], "expected string or null, received array"],
  [{ type: "integer" }, 1.0, "fits"],
  [{ type: "integer" }, 1.5, "expected integer, received number"],
  [{ type: "number" }, 1, "fits"],
  [{ type: "file" }, 1, "unknown"],
  [{ const: { a: [1, null] } }, { a: [1, null] }, "fits"],
  [{ const: { a: 1, b: 2 } }, { b: 2, a: 1 }, "fits"],
  [{ const: 1 }, "1", "expected 1"],
  [{ enum: ["a", "b"] }, "c", 'expected one of "a", "b"'],
  [{ enum: [{ a: 1 }] }, { a: 1, b: 1 }, 'expected one of {"a":1}'],
  [{ minimum: 1 }, 1, "fits"],
  [{ minimum: 1 }, "", "fits"],
  [{ minimum: 1 }, 0, "expected a number from 1, received 0"],
  [{ exclusiveMinimum: 1 }, 1, "expected a number above 1, received 1"],
  [{ exclusiveMinimum: true }, 1, "unknown"],
  [{ maximum: 1 }, 2, "expected a number up to 1, received 2"],
  [{ exclusiveMaximum: 1 }, 1, "expected a number below 1, received 1"],
  [{ multipleOf: 2 }, 3, "expected a number that is a multiple of 2, received 3"],
  [{ multipleOf: 0.1 }, 0.2, "fits"],
  [{ multipleOf: 0.1 }, 0.3, "unknown"],
  [{ multipleOf: 0 }, 1, "unknown"],
  [{ minLength: 2 }, "a", "expected at least 2 characters, received 1"],
  [{ minLength: 2 }, "😀", "unknown"],
  [{ maxLength: 1 }, "ab", "expected at most 1 characters, received 2"],
  [{ maxLength: 1 }, "😀", "unknown"],
  [{ maxLength: "1" }, "ab", "unknown"],
  [{ pattern: "^a$" }, "b", 'expected a text that matches "^a$"'],
  [{ pattern: "^a$" }, "a", "fits"],
  [{ pattern: "(a)\\1" }, "b", "unknown"],
  [{ pattern: "(" }, "b", "unknown"],
  [{ pattern: "a" }, 1, "fits"],
  [{ format: "email" }, "b", "unknown"],
  [{ minItems: 1 }, [], "expected at least 1 items, received 0"],
  [{ maxItems: 1 }, [1, 2], "expected at most 1 items, received 2"],
  [{ uniqueItems: true }, [{ a: 1 }, { a: 2 }, { a: 1 }], "expected items that differ, item 2 is there twice"],
  [{ items: { type: "string" } }, ["a", 1], "1: expected string, received number"],
  [
    { prefixItems: [{ type: "string" }], items: { type: "number" } },
    ["a", 1, "b"],
    "2: expected number, received string",
  ],
  [{ prefixItems: [{ type: "string" }], items: false }, ["a", 1], "expected at most 1 items, received 2"],
  [{ items: [{ type: "string" }] }, [1], "unknown"],
  [{ contains: { type: "string" } }, [1], "expected at least 1 such items"],
  [{ contains: { type: "string" }, maxContains: 1 }, ["a", "b"], "expected at most 1 such items"],
  [{ contains: { format: "a" } }, ["a"], "unknown"],
  [{ required: ["a"] }, {}, "a: is missing"],
  [{ required: ["toString"] }, {}, "toString: is missing"],
  [{ required: ["a"] }, [], "fits"],
  [
    { properties: { a: { properties: { b: { type: "string" } } } } },
    { a: { b: 1 } },
    "a.b: expected string, received number",
  ],
  [{ properties: { toString: { type: "string" } } }, {}, "fits"],
  [{ properties: { a: {} }, additionalProperties: false }, { a: 1, b: 1 }, "b: is not expected"],
  [{ additionalProperties: { type: "number" } }, { b: "" }, "b: expected number, received string"],
  [{ additionalProperties: false, patternProperties: { "^x": {} } }, { x: 1 }, "fits"],
  [{ additionalProperties: false, patternProperties: { "^x": {} } }, { y: 1 }, "y: is not expected"],
  [{ patternProperties: { "^x": { type: "string" } } }, { xy: 1 }, "xy: expected string, received number"],
  [{ additionalProperties: false, patternProperties: { "(?<!a)x": {} } }, { y: 1 }, "unknown"],
  [{ patternProperties: { "(?<!a)x": {} } }, { y: 1 }, "unknown"],
  [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, "ab: expected at most 1 characters, received 2"],
  [{ minProperties: 1 }, {}, "expected at least 1 members, received 0"],
  [{ maxProperties: 0 }, { a: 1 }, "expected at most 0 members, received 1"],
  [{ dependentRequired: { a: ["b"] } }, { a: 1 }, "b: is missing"],
  [{ dependentSchemas: { a: { required: ["c"] } } }, { a: 1 }, "c: is missing"],
  [{ allOf: [{ format: "a" }, { type: "string" }] }, 1, "expected string, received number"],
  [{ anyOf: [{ type: "string" }, { properties: { a: { const: 1 } }, required: ["a"] }] }, { a: 2 }, "a: expected 1"],
  [{ anyOf: [{ format: "a" }, { type: "number" }] }, "b", "unknown"],
  [{ anyOf: [{ format: "a" }, {}] }, "b", "fits"],
  [{ anyOf: [] }, 1, "fits none of the alternatives"],
  [{ oneOf: [{ type: "number" }, { minimum: 1 }] }, 2, "fits more than one of the alternatives"],
  [{ oneOf: [{ type: "number" }, { format: "a" }] }, 2, "unknown"],
  [{ oneOf: [{ type: "number" }, { type: "string" }] }, 2, "fits"],
  [{ not: {} }, 1, "is not expected to be this"],
  [{ not: { format: "a" } }, "a", "unknown"],
  [{ not: { type: "string" } }, 1, "fits"],
  [STRINGS_ARE_LONG, "", "expected at least 1 characters, received 0"],
  [STRINGS_ARE_LONG, 1, "expected 0"],
  [JSON.parse('{"if":{"format":"a"},"then":false}'), "a", "unknown"],
  [{ $ref: "#/$defs/a~1b%25", $defs: { "a/b%": { type: "string" } } }, 1, "expected string, received number"],
  [{ $ref: "#/$defs/missing" }, 1, "unknown"],
  [{ $ref: "https://elsewhere.test/schema" }, 1, "unknown"],
  [{ $ref: "#/%", $defs: {} }, 1, "unknown"],
  [{ $ref: "#/constructor" }, 1, "unknown"],
  [{ unevaluatedProperties: false }, { a: 1 }, "unknown"],
  [{ $schema: "http://json-schema.org/draft-04/schema#", type: "string" }, 1, "unknown"],
  [{ $id: "https://a.test", type: "string" }, 1, "expected string, received number"],
  [{ title: "an annotation", "x-own": 1, default: 2, type: "string" }, 1, "expected string, received number"],
  [7, 1, "unknown"],
];

describe("a JSON Schema", () => {
  it.each(CASES)("%j says of %j: %s", (schema, value, expected) => {
    expect(verdict(schema, value)).toBe(expected);
  });

  it("may refer to itself", () => {
    const tree = { type: "object", properties: { kids: { type: "array", items: { $ref: "#" } } }, required: ["kids"] };
    expect(verdict(tree, { kids: [{ kids: [] }] })).toBe("fits");
    expect(verdict(tree, { kids: [{ kids: [{}] }] })).toBe("kids.0.kids.0.kids: is missing");
  });
});

describe("a hostile JSON Schema", () => {
  const deep = (depth: number): JsonValue => {
    let value: JsonValue = {};
    for (let i = 0; i < depth; i++) value = { x: value };
    return value;
  };
  const both = { properties: { x: { $ref: "#" } } };
  const HOSTILE: readonly [what: string, schema: JsonValue, value: JsonValue][] = [
    ["refers to itself and nothing else", { $ref: "#" }, 1],
    [
      "refers to itself in a ring",
      { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } },
      1,
    ],
    ["refers to itself twice", { allOf: [{ $ref: "#" }, { $ref: "#" }] }, 1],
    [
      "tries two branches at each level",
      {
        anyOf: [
          { ...both, required: ["y"] },
          { ...both, required: ["z"] },
        ],
      },
      deep(LIMITS.jsonDepth),
    ],
    ["compares each item with each", { uniqueItems: true }, Array.from({ length: 100_000 }, (_, i) => i)],
    ["compares a long text again and again", { enum: Array.from({ length: 5_000 }, () => "a".repeat(5_000)) }, "b"],
    ["has a pattern that takes for ever", { pattern: "^(a+)+$" }, `${"a".repeat(100)}b`],
    [
      "names all members of a large value",
      { propertyNames: { minLength: 1 } },
      Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [i, i])),
    ],
  ];

  it.each(HOSTILE)("that %s is given up in bounded work", (_what, schema, value) => {
    const startedAt = performance.now();
    const found = verdict(schema, value);
    // Without a bound it would take longer than anybody lives.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(found).toMatch(/^unknown$|^expected one of/);
  });

  it("cannot reach through the prototype", () => {
    const schema = JSON.parse('{"properties":{"__proto__":{"type":"string"}},"required":["__proto__"]}') as JsonValue;
    expect(verdict(schema, {})).toBe("__proto__: is missing");
    expect(verdict(schema, JSON.parse('{"__proto__":1}') as JsonValue)).toBe(
      "__proto__: expected string, received number",
    );
  });
});
