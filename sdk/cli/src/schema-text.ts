/** A JSON Schema as a developer would write the type, with its bounds beside it; what has no short form is `…`. */
import type { JsonValue } from "@aikirun/protocol/canonical";

type Schema = Readonly<Record<string, JsonValue>>;

/** Schemas inside each other that are shown. */
const MOST_LEVELS = 6;

export function schemaText(document: JsonValue): string {
  return typeText(document, document, 0);
}

function typeText(schema: JsonValue | undefined, document: JsonValue, level: number): string {
  if (schema === undefined || schema === true) return "any";
  if (schema === false) return "nothing";
  if (!isSchema(schema) || level > MOST_LEVELS) return "…";
  const inner = (part: JsonValue | undefined): string => typeText(part, document, level + 1);
  const { $ref: reference, const: constant, enum: values, anyOf, oneOf, allOf, type } = schema;
  if (typeof reference === "string") return inner(referred(document, reference));
  if (constant !== undefined) return JSON.stringify(constant);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  for (const [parts, sign] of [
    [anyOf, " | "],
    [oneOf, " | "],
    [allOf, " & "],
  ] as const) {
    if (Array.isArray(parts)) return parts.map(inner).join(sign);
  }
  if (Array.isArray(type)) return type.map((one) => inner({ ...schema, type: one })).join(" | ");
  if (type === "object" || schema["properties"]) return objectText(schema, inner);
  if (type === "array") return arrayText(schema, inner);
  return typeof type === "string" ? type + boundsText(schema) : "any";
}

function objectText(schema: Schema, inner: (part: JsonValue | undefined) => string): string {
  const { properties = {}, required = [], additionalProperties: more } = schema;
  const members = Object.entries(isSchema(properties) ? properties : {}).map(([name, property]) => {
    const optional = Array.isArray(required) && required.includes(name) ? "" : "?";
    const shown = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    return `${shown}${optional}: ${inner(property)}`;
  });
  if (isSchema(more)) members.push(`[name]: ${inner(more)}`);
  return members.length === 0 ? "object" : `{ ${members.join("; ")} }`;
}

function arrayText(schema: Schema, inner: (part: JsonValue | undefined) => string): string {
  const { prefixItems, items } = schema;
  if (Array.isArray(prefixItems)) {
    const rest = isSchema(items) ? [`...${inner(items)}[]`] : [];
    return `[${[...prefixItems.map(inner), ...rest].join(", ")}]`;
  }
  const item = inner(items);
  return `${/[|&]/.test(item) ? `(${item})` : item}[]${boundsText(schema)}`;
}

const BOUNDS: readonly (readonly [keyword: string, sign: string])[] = [
  ["format", ""],
  ["minimum", "≥ "],
  ["exclusiveMinimum", "> "],
  ["maximum", "≤ "],
  ["exclusiveMaximum", "< "],
  ["multipleOf", "multiple of "],
  ["minLength", "length ≥ "],
  ["maxLength", "length ≤ "],
  ["minItems", "items ≥ "],
  ["maxItems", "items ≤ "],
];

function boundsText(schema: Schema): string {
  const bounds = BOUNDS.flatMap(([keyword, sign]) => {
    const bound = schema[keyword];
    // What a library writes where nobody gave a bound.
    if (bound === undefined || (typeof bound === "number" && Math.abs(bound) === Number.MAX_SAFE_INTEGER)) return [];
    return [`${sign}${typeof bound === "string" ? bound : JSON.stringify(bound)}`];
  });
  return bounds.length === 0 ? "" : ` (${bounds.join(", ")})`;
}

function referred(document: JsonValue, reference: string): JsonValue | undefined {
  const parts = reference.split("/").slice(1);
  const at = (found: JsonValue | undefined, part: string) => (isSchema(found) ? found[part] : undefined);
  return reference.startsWith("#") ? parts.reduce(at, document as JsonValue | undefined) : undefined;
}

function isSchema(value: JsonValue | undefined): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
