import type { JsonValue } from "@aikirun/protocol";

/** Whether two JSON values are equal, whatever the order of members. `spend` counts the work. */
export function sameJson(a: JsonValue, b: JsonValue, spend: (work: number) => void): boolean {
  spend(typeof a === "string" ? 1 + a.length / 64 : 1);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => sameJson(item, b[i] as JsonValue, spend));
  }
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && sameJson(a[name] as JsonValue, b[name] as JsonValue, spend));
}
