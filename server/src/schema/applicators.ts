/** Keywords that hold other schemas, or look at several members at once. */
import type { JsonValue } from "@aikirun/protocol";
import type { Keyword } from "./keywords.js";
import { sameJson } from "./same-json.js";
import { count, every, isMisfit, type Misfit } from "./verdict.js";

const reference: Keyword = (argument, value, { refer, judge }) => {
  const schema = typeof argument === "string" ? refer(argument) : undefined;
  return schema === undefined ? "unknown" : judge(schema, value);
};

const allOf: Keyword = (argument, value, { judge }) =>
  Array.isArray(argument) ? every(argument, (schema) => judge(schema, value)) : "unknown";

const anyOf: Keyword = (argument, value, { judge, misfit }) => {
  if (!Array.isArray(argument)) return "unknown";
  const { least, most, nearest } = count(argument, (schema) => judge(schema, value));
  if (least > 0) return "fits";
  return most > 0 ? "unknown" : (nearest ?? misfit("fits none of the alternatives"));
};

const oneOf: Keyword = (argument, value, { judge, misfit }) => {
  if (!Array.isArray(argument)) return "unknown";
  const { least, most, nearest } = count(argument, (schema) => judge(schema, value));
  if (least > 1) return misfit("fits more than one of the alternatives");
  if (most === 0) return nearest ?? misfit("fits none of the alternatives");
  return least === 1 && most === 1 ? "fits" : "unknown";
};

const not: Keyword = (argument, value, { judge, misfit }) => {
  const verdict = judge(argument, value);
  if (isMisfit(verdict)) return "fits";
  return verdict === "unknown" ? verdict : misfit("is not expected to be this");
};

const condition: Keyword = (argument, value, { judge, schema }) => {
  const verdict = judge(argument, value);
  if (verdict === "unknown") return verdict;
  const branch = schema[isMisfit(verdict) ? "else" : "then"];
  return branch === undefined ? "fits" : judge(branch, value);
};

const required: Keyword = (argument, value, { misfit }) => {
  if (!Array.isArray(argument)) return "unknown";
  if (!isObject(value)) return "fits";
  const missing = argument.find((name) => typeof name === "string" && !Object.hasOwn(value, name));
  return missing === undefined ? "fits" : at(misfit("is missing"), String(missing));
};

/** The misfit of a member. */
function at({ path, message }: Misfit, step: string): Misfit {
  return { path: [...path, step], message };
}

const properties: Keyword = (argument, value, { judge }) => {
  if (!isObject(argument)) return "unknown";
  if (!isObject(value)) return "fits";
  return every(Object.keys(argument), (name) =>
    Object.hasOwn(value, name) ? judge(argument[name] as JsonValue, value[name] as JsonValue, name) : "fits",
  );
};

const patternProperties: Keyword = (argument, value, { judge, matches }) => {
  if (!isObject(argument)) return "unknown";
  if (!isObject(value)) return "fits";
  return every(Object.keys(argument), (pattern) =>
    every(Object.keys(value), (name) => {
      const found = matches(pattern, name);
      if (found === undefined) return "unknown";
      return found ? judge(argument[pattern] as JsonValue, value[name] as JsonValue, name) : "fits";
    }),
  );
};

const additionalProperties: Keyword = (argument, value, { judge, schema, misfit, matches }) => {
  if (!isObject(value)) return "fits";
  const { properties: named = {}, patternProperties: patterns = {} } = schema;
  if (!isObject(named) || !isObject(patterns)) return "unknown";
  return every(Object.keys(value), (name) => {
    if (Object.hasOwn(named, name)) return "fits";
    const byPattern = Object.keys(patterns).map((pattern) => matches(pattern, name));
    if (byPattern.includes(true)) return "fits";
    if (byPattern.includes(undefined)) return "unknown";
    return argument === false ? at(misfit("is not expected"), name) : judge(argument, value[name] as JsonValue, name);
  });
};

const propertyNames: Keyword = (argument, value, { judge }) =>
  isObject(value) ? every(Object.keys(value), (name) => judge(argument, name, name)) : "fits";

const dependentRequired: Keyword = (argument, value, judge) => {
  if (!isObject(argument)) return "unknown";
  if (!isObject(value)) return "fits";
  const present = Object.keys(argument).filter((name) => Object.hasOwn(value, name));
  return every(present, (name) => required(argument[name] as JsonValue, value, judge));
};

const dependentSchemas: Keyword = (argument, value, { judge }) => {
  if (!isObject(argument)) return "unknown";
  if (!isObject(value)) return "fits";
  const present = Object.keys(argument).filter((name) => Object.hasOwn(value, name));
  return every(present, (name) => judge(argument[name] as JsonValue, value));
};

const prefixItems: Keyword = (argument, value, { judge }) => {
  if (!Array.isArray(argument)) return "unknown";
  if (!Array.isArray(value)) return "fits";
  return every(value.slice(0, argument.length).entries(), ([i, item]) => judge(argument[i] as JsonValue, item, i));
};

const itemsAfterPrefix: Keyword = (argument, value, { judge, schema, misfit }) => {
  // An array is the older drafts' way to write `prefixItems`.
  if (Array.isArray(argument)) return "unknown";
  if (!Array.isArray(value)) return "fits";
  const { prefixItems: prefix = [] } = schema;
  if (!Array.isArray(prefix)) return "unknown";
  if (argument === false && value.length > prefix.length) {
    return misfit(`expected at most ${prefix.length} items, received ${value.length}`);
  }
  return every(value.slice(prefix.length).entries(), ([i, item]) => judge(argument, item, i + prefix.length));
};

const contains: Keyword = (argument, value, { judge, schema, misfit }) => {
  if (!Array.isArray(value)) return "fits";
  const { minContains: min = 1, maxContains: max = Number.POSITIVE_INFINITY } = schema;
  if (typeof min !== "number" || typeof max !== "number") return "unknown";
  const { least, most } = count(value.entries(), ([i, item]) => judge(argument, item, i));
  if (most < min || least > max)
    return misfit(`expected ${most < min ? `at least ${min}` : `at most ${max}`} such items`);
  return least >= min && most <= max ? "fits" : "unknown";
};

const uniqueItems: Keyword = (argument, value, { misfit, spend }) => {
  if (argument !== true || !Array.isArray(value)) return "fits";
  const before = (i: number): boolean => {
    for (let j = 0; j < i; j++) if (sameJson(value[j] as JsonValue, value[i] as JsonValue, spend)) return true;
    return false;
  };
  const same = value.findIndex((_, i) => before(i));
  return same < 0 ? "fits" : misfit(`expected items that differ, item ${same} is there twice`);
};

function isObject(value: JsonValue): value is { [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const APPLICATORS: readonly (readonly [string, Keyword])[] = [
  ["$ref", reference],
  ["allOf", allOf],
  ["anyOf", anyOf],
  ["oneOf", oneOf],
  ["not", not],
  ["if", condition],
  ["required", required],
  ["properties", properties],
  ["patternProperties", patternProperties],
  ["additionalProperties", additionalProperties],
  ["propertyNames", propertyNames],
  ["dependentRequired", dependentRequired],
  ["dependentSchemas", dependentSchemas],
  ["prefixItems", prefixItems],
  ["items", itemsAfterPrefix],
  ["contains", contains],
  ["uniqueItems", uniqueItems],
];
