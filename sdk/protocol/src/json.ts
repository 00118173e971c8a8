/** A value that JSON can hold, as `JSON.parse` returns it. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Deepest nesting of arrays and objects that Aiki stores or sends. */
export const MAX_JSON_DEPTH = 64;

/** Where in a value JSON loses something, and why. `path` is a JSONPath such as `$.items[2].at`. */
export interface JsonFault {
  readonly path: string;
  readonly reason: string;
}

/**
 * Finds the first place where `JSON.stringify` would lose or refuse a value: a function, symbol, bigint,
 * non-finite number, cycle, or nesting beyond `MAX_JSON_DEPTH`. Absent (`undefined`) properties are fine,
 * as is anything with a `toJSON` method.
 */
export function findJsonFault(value: unknown): JsonFault | undefined {
  const fault = inspect(value, []);
  return fault && { path: `$${fault.path}`, reason: fault.reason };
}

// Every recorded value passes through here, on each replay again: paths are put together only when there is a fault.
function inspect(value: unknown, ancestors: object[]): JsonFault | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : { path: "", reason: `is ${value}` };
    case "bigint":
      return { path: "", reason: "is a bigint" };
    case "symbol":
      return { path: "", reason: "is a symbol" };
    case "function":
      return { path: "", reason: "is a function" };
    default:
      return value === null ? undefined : inspectObject(value as object, ancestors);
  }
}

function inspectObject(value: object, ancestors: object[]): JsonFault | undefined {
  if (ancestors.includes(value)) return { path: "", reason: "refers back to a value that contains it" };
  if (ancestors.length >= MAX_JSON_DEPTH) return { path: "", reason: `is nested deeper than ${MAX_JSON_DEPTH} levels` };
  ancestors.push(value);
  const fault = inspectMembers(value, ancestors);
  ancestors.pop();
  return fault;
}

function inspectMembers(value: object, ancestors: object[]): JsonFault | undefined {
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const plain: unknown = value.toJSON();
    return plain === value ? undefined : inspect(plain, ancestors);
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const fault = inspect(value[index], ancestors);
      if (fault) return { path: `[${index}]${fault.path}`, reason: fault.reason };
    }
    return undefined;
  }
  const members = value as Record<string, unknown>;
  for (const key of Object.keys(members)) {
    const fault = inspect(members[key], ancestors);
    if (fault) return { path: `.${key}${fault.path}`, reason: fault.reason };
  }
  return undefined;
}

/** How deep the arrays and objects of a JSON text nest, found without parsing it: `JSON.parse` has no bound of its own. */
export function jsonTextDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}
