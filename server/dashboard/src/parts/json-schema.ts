/** What a form can be made of, out of a JSON Schema; and what is wrong with a value by it. */
import type { JsonValue } from "@aikirun/protocol/canonical";

export type Schema = Readonly<Record<string, JsonValue>>;
export type JsonObject = { [key: string]: JsonValue };

export type Shape =
  | { readonly type: "object"; readonly fields: readonly SchemaField[] }
  | { readonly type: "array"; readonly items: Schema }
  | { readonly type: "choice"; readonly options: readonly JsonValue[] }
  | { readonly type: "text" | "long-text" | "number" | "integer" | "boolean" | "any" };

export interface SchemaField {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** How deep references are followed: a schema may refer to itself. */
const MOST_REFERENCES = 8;

export function shapeOf(schema: Schema, whole: Schema): Shape {
  const plain = resolve(schema, whole);
  if (Array.isArray(plain["enum"])) return { type: "choice", options: plain["enum"] };
  if ("const" in plain) return { type: "choice", options: [plain["const"] ?? null] };
  const { type } = plain;
  if (type === "object" && isObject(plain["properties"])) {
    const required = Array.isArray(plain["required"]) ? plain["required"] : [];
    const fields = Object.entries(plain["properties"])
      .filter(([, field]) => isObject(field))
      .map(([name, field]) => ({ name, schema: field as Schema, required: required.includes(name) }));
    return { type: "object", fields };
  }
  if (type === "array" && isObject(plain["items"])) return { type: "array", items: plain["items"] };
  if (type === "string") return { type: Number(plain["maxLength"] ?? 0) > 300 ? "long-text" : "text" };
  if (type === "number" || type === "integer" || type === "boolean") return { type };
  return { type: "any" };
}

/** A first value that has the schema's shape. */
export function startValue(schema: Schema, whole: Schema, depth = 0): JsonValue | undefined {
  const plain = resolve(schema, whole);
  if (plain["default"] !== undefined) return plain["default"];
  const shape = shapeOf(schema, whole);
  if (shape.type === "choice") return shape.options.length === 1 ? shape.options[0] : undefined;
  if (shape.type === "array") return [];
  if (shape.type !== "object" || depth > MOST_REFERENCES) return undefined;
  const value: JsonObject = {};
  for (const field of shape.fields) {
    const first = field.required ? startValue(field.schema, whole, depth + 1) : undefined;
    if (first !== undefined) value[field.name] = first;
  }
  return value;
}

export function textOf(schema: Schema, whole: Schema, name: "title" | "description" | "format"): string | undefined {
  const text = resolve(schema, whole)[name];
  return typeof text === "string" ? text : undefined;
}

function resolve(schema: Schema, whole: Schema): Schema {
  let found = schema;
  for (let i = 0; i < MOST_REFERENCES && typeof found["$ref"] === "string"; i++) {
    const steps = found["$ref"].startsWith("#/") ? found["$ref"].slice(2).split("/") : [];
    let target: JsonValue | undefined = whole as JsonObject;
    for (const step of steps) target = isObject(target) ? target[unescapeStep(step)] : undefined;
    if (!isObject(target)) return {};
    found = target;
  }
  return found;
}

function unescapeStep(step: string): string {
  return decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface Fault {
  /** A JSON pointer; empty for the whole value. */
  readonly path: string;
  readonly message: string;
  /** Nothing is wrong yet, for somebody who has not come that far. */
  readonly missing?: boolean;
}

/**
 * The last word is the endpoint's; this one comes while somebody types. It is the orchestrator's own judge, whose work is
 * bounded whatever an application declares, and is loaded when it is needed. It names the first misfit.
 */
export async function faultsOf(value: JsonValue | undefined, schema: Schema): Promise<Fault[]> {
  const { isMisfit, Validator } = await import("../../../src/schema/validator.js");
  const missing = missingIn(value, schema, schema, "", 0);
  const verdict = new Validator(schema as JsonObject).judge(value ?? null);
  if (!isMisfit(verdict)) return missing;
  const path = verdict.path.reduce<string>((before, step) => pointer(before, String(step)), "");
  return missing.some((fault) => fault.path === path) ? missing : [...missing, { path, message: verdict.message }];
}

function missingIn(value: JsonValue | undefined, schema: Schema, whole: Schema, path: string, depth: number): Fault[] {
  const shape = shapeOf(schema, whole);
  if (shape.type !== "object" || !isObject(value) || depth > MOST_REFERENCES) return [];
  return shape.fields.flatMap(({ name, schema: field, required }): Fault[] => {
    const at = pointer(path, name);
    const inner = value[name];
    if (inner !== undefined) return missingIn(inner, field, whole, at, depth + 1);
    return required ? [{ path: at, message: "This is needed.", missing: true }] : [];
  });
}

/** A JSON pointer (RFC 6901), one step further. */
export function pointer(path: string, step: string): string {
  return `${path}/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
