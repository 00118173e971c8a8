/**
 * Regular expressions in bounded work. The runtime's own engine takes exponential time over `^(a+)+$`, cannot be
 * interrupted, and the expressions come from applications. So it judges single characters only; what stands around them
 * is matched here, by backtracking that counts its steps.
 */
import { type PatternNode, parsePattern } from "./pattern-syntax.js";

/** Longer expressions and texts are not matched: the stack would be too short for them. */
const MOST_SOURCE_CHARS = 2_000;
const MOST_TEXT_CHARS = 2_000;
const MOST_STEPS = 20_000;

class TooLong extends Error {}

/** Whether a text holds a match, and how many steps it took to find out; undefined when there were too many. */
export type Pattern = (text: string) => { readonly matches: boolean | undefined; readonly steps: number };

/** Undefined for what is no expression of ECMA-262 with the flag `u`, and for what is not understood here. */
export function compilePattern(source: string): Pattern | undefined {
  const root = source.length <= MOST_SOURCE_CHARS && isValid(source) ? parsePattern(source) : undefined;
  return root && ((text) => new Search(text).run(root));
}

function isValid(source: string): boolean {
  try {
    new RegExp(source, "u");
    return true;
  } catch {
    return false;
  }
}

type Next = (at: number) => boolean;
const FOUND: Next = () => true;

class Search {
  readonly #text: string;
  #steps = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(root: PatternNode): ReturnType<Pattern> {
    return { matches: this.#search(root), steps: this.#steps };
  }

  #search(root: PatternNode): boolean | undefined {
    const text = this.#text;
    if (text.length > MOST_TEXT_CHARS) return undefined;
    try {
      for (let at = 0; at <= text.length; at += this.#characterAt(at).length || 1) {
        if (this.#match(root, at, FOUND)) return true;
      }
      return false;
    } catch (error) {
      // A RangeError is the end of the stack.
      if (error instanceof TooLong || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #characterAt(at: number): string {
    const unit = this.#text[at] ?? "";
    return unit >= "\ud800" && unit <= "\udbff" ? String.fromCodePoint(this.#text.codePointAt(at) ?? 0) : unit;
  }

  /** Matches a node at a place and what follows it from there on, or tries another way. */
  #match(node: PatternNode, at: number, next: Next): boolean {
    if (++this.#steps > MOST_STEPS) throw new TooLong();
    switch (node.type) {
      case "character": {
        const character = this.#characterAt(at);
        return character !== "" && node.fits(character) && next(at + character.length);
      }
      case "place":
        return node.fits(this.#text, at) && next(at);
      case "ahead":
        return this.#match(node.part, at, FOUND) === node.wanted && next(at);
      case "sequence":
        return this.#sequence(node.parts, 0, at, next);
      case "alternatives":
        return node.ways.some((way) => this.#match(way, at, next));
      case "repeat":
        return node.part.type === "character"
          ? this.#stretch({ ...node, fits: node.part.fits }, at, next)
          : this.#round(node, 0, at, next);
    }
  }

  #sequence(parts: readonly PatternNode[], index: number, at: number, next: Next): boolean {
    const part = parts[index];
    return part ? this.#match(part, at, (then) => this.#sequence(parts, index + 1, then, next)) : next(at);
  }

  #round(node: Extract<PatternNode, { type: "repeat" }>, count: number, at: number, next: Next): boolean {
    const { part, least, most, greedy } = node;
    const again = (): boolean =>
      count < most &&
      // A round that takes nothing, when there have been enough of them, would be repeated for ever.
      this.#match(part, at, (then) => (then > at || count < least) && this.#round(node, count + 1, then, next));
    const enough = (): boolean => count >= least && next(at);
    return greedy ? again() || enough() : enough() || again();
  }

  /** Many of one character, without a deeper stack for each. */
  #stretch(
    {
      fits,
      least,
      most,
      greedy,
    }: { fits(character: string): boolean; readonly least: number; readonly most: number; readonly greedy: boolean },
    from: number,
    next: Next,
  ): boolean {
    const ends = [from];
    for (let at = from; ends.length <= most; ) {
      const character = this.#characterAt(at);
      if (++this.#steps > MOST_STEPS) throw new TooLong();
      if (character === "" || !fits(character)) break;
      at += character.length;
      ends.push(at);
    }
    const enough = ends.slice(least);
    return (greedy ? enough.reverse() : enough).some((at) => {
      if (++this.#steps > MOST_STEPS) throw new TooLong();
      return next(at);
    });
  }
}
