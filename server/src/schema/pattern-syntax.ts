/** Reads an expression of ECMA-262, flag `u`, that is known to be valid. Undefined: it holds what is not matched here. */

export type PatternNode =
  /** One character; a pair of surrogates is one. */
  | { readonly type: "character"; fits(character: string): boolean }
  | { readonly type: "place"; fits(text: string, at: number): boolean }
  | { readonly type: "ahead"; readonly part: PatternNode; readonly wanted: boolean }
  | { readonly type: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly type: "alternatives"; readonly ways: readonly PatternNode[] }
  | {
      readonly type: "repeat";
      readonly part: PatternNode;
      readonly least: number;
      readonly most: number;
      readonly greedy: boolean;
    };

const MOST_GROUPS_DEEP = 50;

class NotUnderstood extends Error {}

export function parsePattern(source: string): PatternNode | undefined {
  try {
    return new Reader(source).all();
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

const isWord = (character: string | undefined): boolean => character !== undefined && /^\w$/.test(character);
const onBoundary = (text: string, at: number): boolean => isWord(text[at - 1]) !== isWord(text[at]);

/** What a group begins with, the longest first. */
const OPENINGS = ["(?:", "(?=", "(?!", "(?<=", "(?<!"] as const;
/** An escape that stands for one character or one set of them. */
const ESCAPE =
  /\\(?:[dDwWsSfnrtv0]|[pP]\{[^}]*\}|u\{[^}]*\}|u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|[\^$\\.*+?()[\]{}|/-])/uy;
const QUANTIFIER = /(?:([*+?])|\{(\d+)(,?)(\d*)\})(\??)/uy;

/** Whether a character is one of a set. Those of ASCII, most of all, are looked up: asking costs ten times as much. */
function oneOf(set: RegExp): (character: string) => boolean {
  const known = new Uint8Array(128);
  return (character) => {
    const code = character.charCodeAt(0);
    if (code >= known.length) return set.test(character);
    if (known[code] === UNASKED) known[code] = set.test(character) ? IN : OUT;
    return known[code] === IN;
  };
}
const UNASKED = 0;
const IN = 1;
const OUT = 2;

class Reader {
  readonly #source: string;
  #at = 0;
  #deep = 0;

  constructor(source: string) {
    this.#source = source;
  }

  all(): PatternNode {
    const node = this.#alternatives();
    if (this.#at < this.#source.length) throw new NotUnderstood();
    return node;
  }

  #alternatives(): PatternNode {
    const ways = [this.#sequence()];
    while (this.#take("|")) ways.push(this.#sequence());
    return { type: "alternatives", ways };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at] ?? "")) {
      parts.push(this.#quantified(this.#term()));
    }
    return { type: "sequence", parts };
  }

  #term(): PatternNode {
    if (this.#take("^")) return { type: "place", fits: (_text, at) => at === 0 };
    if (this.#take("$")) return { type: "place", fits: (text, at) => at === text.length };
    if (this.#take("\\b")) return { type: "place", fits: onBoundary };
    if (this.#take("\\B")) return { type: "place", fits: (text, at) => !onBoundary(text, at) };
    if (this.#source[this.#at] === "(") return this.#group();
    return this.#character();
  }

  #group(): PatternNode {
    const opening = OPENINGS.find((text) => this.#take(text)) ?? this.#captureOpening();
    if (opening === "(?<=" || opening === "(?<!" || ++this.#deep > MOST_GROUPS_DEEP) throw new NotUnderstood();
    const part = this.#alternatives();
    this.#deep--;
    if (!this.#take(")")) throw new NotUnderstood();
    if (opening === "(?=" || opening === "(?!") return { type: "ahead", part, wanted: opening === "(?=" };
    return part;
  }

  /** What is captured is not used: a backreference is not understood. */
  #captureOpening(): "(" {
    const named = this.#match(/\(\?<[^>]*>/uy);
    // `(?i:` and the like change what the inside means.
    if (!named && (!this.#take("(") || this.#source[this.#at] === "?")) throw new NotUnderstood();
    return "(";
  }

  #character(): PatternNode {
    const set = this.#match(/\[(?:\\.|[^\]\\])*\]/uy) ?? this.#match(/\./uy) ?? this.#match(ESCAPE);
    if (set) {
      return { type: "character", fits: oneOf(new RegExp(`^(?:${set[0]})$`, "u")) };
    }
    const literal = this.#match(/[^\\^$.*+?()[\]{}|]/uy)?.[0];
    if (literal === undefined) throw new NotUnderstood();
    return { type: "character", fits: (character) => character === literal };
  }

  #quantified(part: PatternNode): PatternNode {
    const found = this.#match(QUANTIFIER);
    if (!found) return part;
    const [, sign, from, comma, to, lazy] = found;
    const least = sign === undefined ? Number(from) : sign === "+" ? 1 : 0;
    const end = sign === undefined ? (comma === "" ? from : to) : sign === "?" ? "1" : "";
    const most = end === "" ? Number.POSITIVE_INFINITY : Number(end);
    return { type: "repeat", part, least, most, greedy: lazy === "" };
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#source);
    if (!found) return undefined;
    this.#at = sticky.lastIndex;
    return found;
  }
}
