import type { JsonValue } from "@aikirun/protocol";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { expect, it } from "vitest";
import * as z from "zod";
import { schemaText } from "../src/schema-text.js";

interface Described {
  readonly "~standard": { readonly jsonSchema: { input(options: { target: "draft-2020-12" }): unknown } };
}
const textOf = (schema: Described): string =>
  schemaText(schema["~standard"].jsonSchema.input({ target: "draft-2020-12" }) as JsonValue);

const Tree = z.object({
  name: z.string(),
  get kids() {
    return z.array(Tree);
  },
});

it.each<[string, Described, string]>([
  [
    "zod",
    z.object({
      customer: z.object({ id: z.string(), "e-mail": z.email().optional() }),
      cents: z.int().min(1),
      tags: z.array(z.enum(["a", "b"])).max(3),
      note: z.string().nullable().default(null),
    }),
    '{ customer: { id: string; "e-mail"?: string (email) }; cents: integer (≥ 1); tags: ("a" | "b")[] (items ≤ 3); note?: string | null }',
  ],
  [
    "a union and a tuple",
    z.union([z.tuple([z.string(), z.number()]).rest(z.boolean()), z.record(z.string(), z.int())]),
    "[string, number, ...boolean[]] | { [name]: integer }",
  ],
  [
    "valibot",
    toStandardJsonSchema(v.strictObject({ at: v.pipe(v.string(), v.isoTimestamp()) })),
    "{ at: string (date-time) }",
  ],
  [
    "ArkType",
    type({ name: "string > 0", "age?": "number.integer >= 0" }) as unknown as Described,
    "{ name: string (length ≥ 1); age?: integer (≥ 0) }",
  ],
])("%s, as a type", (_name, schema, expected) => {
  expect(textOf(schema)).toBe(expected);
});

it("ends where a schema does not", () => {
  expect(textOf(Tree)).toMatch(/^\{ name: string; kids: \{ name: string; kids: .*…/);
  expect(schemaText({ $ref: "#" })).toBe("…");
  expect(schemaText({ $ref: "#/missing" })).toBe("any");
  expect(schemaText({ $ref: "elsewhere" })).toBe("any");
});
