import { inputHash, type JsonValue } from "@aikirun/protocol/canonical";
import { jsonText } from "../record.js";

/** An input as it is recorded: its JSON text (undefined when there is none) and the hash of its canonical form. */
export interface AddressedInput {
  readonly text: string | undefined;
  readonly hash: string;
}

// Every push replays the whole history, so the same inputs are hashed again and again, and SHA-256 in JavaScript costs
// ten times as much as looking one up. Two generations bound the memory without the bookkeeping of an exact LRU.
const MAX_TEXTS = 5_000;
const MAX_TEXT_CHARS = 1_024;
let young = new Map<string, string>();
let old = new Map<string, string>();

/** Throws `NOT_SERIALIZABLE`, `PAYLOAD_TOO_LARGE`. `what`: "Task x was given an input". */
export function addressInput(value: unknown, what: string): AddressedInput {
  const text = jsonText(value, what);
  return { text, hash: hashOf(text ?? "null") };
}

function hashOf(text: string): string {
  if (text.length > MAX_TEXT_CHARS) return inputHash(JSON.parse(text));
  const known = young.get(text);
  if (known !== undefined) return known;
  const hash = old.get(text) ?? inputHash(JSON.parse(text));
  if (young.size >= MAX_TEXTS) {
    old = young;
    young = new Map();
  }
  young.set(text, hash);
  return hash;
}

/** A fresh copy of the value that an input's text holds, so that no attempt sees what another one changed. */
export function decodeInput(input: AddressedInput): JsonValue | undefined {
  if (input.text === undefined) return undefined;
  const value: JsonValue = JSON.parse(input.text);
  return value;
}
