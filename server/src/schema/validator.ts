/**
 * Judges a value by a JSON Schema (draft 2020-12, https://json-schema.org/draft/2020-12) without compiling it to code,
 * which Workers forbid, and in bounded work, whatever the schema: it comes from an application, and may be hostile or
 * wrong. What is not judged, such as a `format`, makes the verdict `unknown` and never a misfit.
 */
import type { JsonValue } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import { type Judge, KEYWORDS, UNJUDGED } from "./keywords.js";
import { compilePattern, type Pattern } from "./pattern.js";
import { every, isMisfit, type Misfit, type Verdict } from "./verdict.js";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** A step of a pattern is shorter than the look at a keyword. */
const STEPS_OF_A_PATTERN = 4;

/** The work for one value is used up. */
class Exhausted extends Error {}

export class Validator {
  readonly #document: JsonValue;
  readonly #references = new Map<string, JsonValue | undefined>();
  readonly #patterns = new Map<string, Pattern | undefined>();

  constructor(document: JsonValue) {
    this.#document = document;
  }

  judge(value: JsonValue): Verdict {
    if (!speaksDialect(this.#document)) return "unknown";
    let steps: number = LIMITS.schemaSteps;
    const spend = (work: number): void => {
      steps -= work;
      if (steps < 0) throw new Exhausted();
    };
    try {
      return this.#judge(this.#document, value, [], 0, spend);
    } catch (error) {
      if (error instanceof Exhausted) return "unknown";
      throw error;
    }
  }

  #judge(
    schema: JsonValue,
    value: JsonValue,
    path: readonly (string | number)[],
    depth: number,
    spend: (work: number) => void,
  ): Verdict {
    spend(1);
    if (depth > LIMITS.schemaDepth) throw new Exhausted();
    if (schema === true) return "fits";
    const misfit = (message: string): Misfit => ({ path, message });
    if (schema === false) return misfit("is not expected");
    if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return "unknown";
    const judge: Judge = {
      schema,
      path,
      spend,
      misfit,
      matches: (source, text) => {
        const found = this.#pattern(source)?.(text);
        spend((found?.steps ?? 0) / STEPS_OF_A_PATTERN);
        return found?.matches;
      },
      refer: (reference) => this.#resolve(reference),
      judge: (inner, of, step) => this.#judge(inner, of, step === undefined ? path : [...path, step], depth + 1, spend),
    };
    return every(Object.keys(schema), (keyword) => {
      spend(1);
      // Of two drafts' words for one thing, and of all that draws on other keywords' results, only some are judged.
      if (UNJUDGED.has(keyword) && !(keyword === "$id" && depth === 0)) return "unknown";
      return KEYWORDS.get(keyword)?.(schema[keyword] as JsonValue, value, judge) ?? "fits";
    });
  }

  #pattern(source: string): Pattern | undefined {
    const known = this.#patterns.get(source);
    if (known || this.#patterns.has(source)) return known;
    const made = compilePattern(source);
    this.#patterns.set(source, made);
    return made;
  }

  /** A schema in this document by its JSON Pointer (RFC 6901) in a fragment; undefined for every other reference. */
  #resolve(reference: string): JsonValue | undefined {
    if (this.#references.has(reference)) return this.#references.get(reference);
    const found = pointed(this.#document, reference);
    this.#references.set(reference, found);
    return found;
  }
}

/** `customer.email: expected string, received number`. */
export function misfitText({ path, message }: Misfit): string {
  return path.length === 0 ? message : `${path.join(".")}: ${message}`;
}

export { isMisfit, type Verdict };

function speaksDialect(document: JsonValue): boolean {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return true;
  const dialect = document["$schema"];
  return dialect === undefined || dialect === DIALECT;
}

function pointed(document: JsonValue, reference: string): JsonValue | undefined {
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  let found: JsonValue | undefined = document;
  for (const part of reference.split("/").slice(1)) {
    const name = decoded(part)?.replaceAll("~1", "/").replaceAll("~0", "~");
    if (name === undefined || typeof found !== "object" || found === null || !Object.hasOwn(found, name)) {
      return undefined;
    }
    found = (found as Readonly<Record<string, JsonValue>>)[name];
  }
  return found;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
