/** The keywords that are judged, each by itself. An argument that is not what the draft says makes it `unknown`. */
import type { JsonValue } from "@aikirun/protocol";
import { APPLICATORS } from "./applicators.js";
import { sameJson } from "./same-json.js";
import type { Misfit, Verdict } from "./verdict.js";

/** What a keyword may use. */
export interface Judge {
  /** The schema that the keyword stands in. */
  readonly schema: Readonly<Record<string, JsonValue>>;
  readonly path: readonly (string | number)[];
  /** Counts work; throws when there was too much of it. */
  spend(work: number): void;
  misfit(message: string): Misfit;
  /** Whether a text holds a match of a regular expression; undefined when that is not known. */
  matches(pattern: string, text: string): boolean | undefined;
  /** A schema by its reference; undefined when it is not in this document. */
  refer(reference: string): JsonValue | undefined;
  /** Judges by an inner schema: the same value, or with `step` a member of it. */
  judge(schema: JsonValue, value: JsonValue, step?: string | number): Verdict;
}

export type Keyword = (argument: JsonValue, value: JsonValue, judge: Judge) => Verdict;

/** Assertions that are not judged. All other words that are not known here are annotations, as the draft has it. */
export const UNJUDGED: ReadonlySet<string> = new Set([
  "$id",
  "$anchor",
  "$dynamicRef",
  "$dynamicAnchor",
  "$recursiveRef",
  "$vocabulary",
  "unevaluatedItems",
  "unevaluatedProperties",
  "additionalItems",
  "dependencies",
  "nullable",
  "format",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
]);

const type: Keyword = (argument, value, { misfit }) => {
  const names = Array.isArray(argument) ? argument : [argument];
  if (!names.every((name) => typeof name === "string" && TYPES.has(name))) return "unknown";
  const own = typeOf(value);
  if (names.includes(own) || (own === "integer" && names.includes("number"))) return "fits";
  return misfit(`expected ${names.join(" or ")}, received ${own === "integer" ? "number" : own}`);
};
const TYPES = new Set(["null", "boolean", "object", "array", "number", "integer", "string"]);

function typeOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

const constant: Keyword = (argument, value, { misfit, spend }) =>
  sameJson(argument, value, spend) ? "fits" : misfit(`expected ${shown(argument)}`);

const oneValueOf: Keyword = (argument, value, { misfit, spend }) => {
  if (!Array.isArray(argument)) return "unknown";
  if (argument.some((one) => sameJson(one, value, spend))) return "fits";
  return misfit(`expected one of ${argument.slice(0, 10).map(shown).join(", ")}${argument.length > 10 ? ", …" : ""}`);
};

function shown(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** A keyword with a number that asserts something of numbers. */
function ofNumbers(fits: (value: number, argument: number) => boolean | "unknown", expected: string): Keyword {
  return (argument, value, { misfit }) => {
    if (typeof argument !== "number") return "unknown";
    if (typeof value !== "number") return "fits";
    const outcome = fits(value, argument);
    if (outcome === "unknown") return outcome;
    return outcome ? "fits" : misfit(`expected a number ${expected} ${argument}, received ${value}`);
  };
}

function isMultiple(value: number, of: number): boolean | "unknown" {
  const times = value / of;
  if (Number.isInteger(times)) return true;
  // 0.3 is a multiple of 0.1, but not in binary.
  const away = Math.abs(times - Math.round(times));
  return Number.isFinite(times) && away > 1e-9 * Math.max(1, Math.abs(times)) ? false : "unknown";
}

/** A keyword with a number that asserts something of what `measure` finds, where it finds anything. */
function ofSize(
  measure: (value: JsonValue) => number | undefined,
  fits: (size: number, argument: number) => boolean,
  expected: string,
  what: string,
): Keyword {
  return (argument, value, { misfit }) => {
    if (typeof argument !== "number") return "unknown";
    const size = measure(value);
    if (size === undefined || fits(size, argument)) return "fits";
    return misfit(`expected ${expected} ${argument} ${what}, received ${size}`);
  };
}

/**
 * The draft counts code points, most schema libraries UTF-16 units. Between the two it is not known. `units` are never
 * fewer than code points.
 */
function ofLength(fits: (length: number, argument: number) => boolean, expected: string): Keyword {
  return (argument, value, { misfit, spend }) => {
    if (typeof argument !== "number") return "unknown";
    if (typeof value !== "string") return "fits";
    const units = fits(value.length, argument);
    spend(value.length / 64);
    const points = value.length - (value.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
    if (fits(points, argument) !== units) return "unknown";
    return units ? "fits" : misfit(`expected ${expected} ${argument} characters, received ${value.length}`);
  };
}

const pattern: Keyword = (argument, value, { misfit, matches }) => {
  if (typeof argument !== "string") return "unknown";
  if (typeof value !== "string") return "fits";
  const found = matches(argument, value);
  if (found === undefined) return "unknown";
  return found ? "fits" : misfit(`expected a text that matches ${shown(argument)}`);
};

const atLeast = (size: number, argument: number): boolean => size >= argument;
const atMost = (size: number, argument: number): boolean => size <= argument;
const items = (value: JsonValue) => (Array.isArray(value) ? value.length : undefined);
const members = (value: JsonValue) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value).length : undefined;

export const KEYWORDS: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ["type", type],
  ["const", constant],
  ["enum", oneValueOf],
  ["minimum", ofNumbers(atLeast, "from")],
  ["maximum", ofNumbers(atMost, "up to")],
  ["exclusiveMinimum", ofNumbers((value, argument) => value > argument, "above")],
  ["exclusiveMaximum", ofNumbers((value, argument) => value < argument, "below")],
  ["multipleOf", ofNumbers(isMultiple, "that is a multiple of")],
  ["minLength", ofLength(atLeast, "at least")],
  ["maxLength", ofLength(atMost, "at most")],
  ["pattern", pattern],
  ["minItems", ofSize(items, atLeast, "at least", "items")],
  ["maxItems", ofSize(items, atMost, "at most", "items")],
  ["minProperties", ofSize(members, atLeast, "at least", "members")],
  ["maxProperties", ofSize(members, atMost, "at most", "members")],
  ...APPLICATORS,
]);
