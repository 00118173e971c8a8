import { entryKey, inputHash, type JsonValue } from "@aikirun/protocol/canonical";
import { jsonText } from "../record.js";

/** A call with an input: the key of the first call of its address, and the input's JSON text if there is one. */
export interface AddressedInput {
  readonly firstKey: string;
  readonly text: string | undefined;
}

// Every push makes every recorded call again. Looking up the key by the input's text saves canonical form, SHA-256 and
// the making of the key, which together cost ten times as much. Two generations bound the memory without the
// bookkeeping of an exact LRU.
const MAX_KEYS = 5_000;
const MAX_TEXT_CHARS = 1_024;
type Kind = "task" | "child";
/** By kind, name and text: a task may be named like a child's address. */
type Keys = Readonly<Record<Kind, Map<string, Map<string, string>>>>;
const noKeys = (): Keys => ({ task: new Map(), child: new Map() });
let young = noKeys();
let old = noKeys();
let youngKeys = 0;

/**
 * Addresses a call by its name (for a child `workflow:version`) and its input. Throws `NOT_SERIALIZABLE`,
 * `PAYLOAD_TOO_LARGE`. `what` begins the message: "Task x was given an input".
 */
export function addressInput(kind: Kind, name: string, input: unknown, what: string): AddressedInput {
  const text = jsonText(input, what);
  return { firstKey: firstKey(kind, name, text ?? "null"), text };
}

function firstKey(kind: Kind, name: string, text: string): string {
  if (text.length > MAX_TEXT_CHARS) return makeKey(kind, name, text);
  const known = young[kind].get(name)?.get(text);
  return known ?? remember(kind, name, text, old[kind].get(name)?.get(text) ?? makeKey(kind, name, text));
}

function makeKey(kind: Kind, name: string, text: string): string {
  return entryKey(kind, `${name}:${inputHash(JSON.parse(text))}`, 0);
}

function remember(kind: Kind, name: string, text: string, key: string): string {
  if (youngKeys >= MAX_KEYS) {
    old = young;
    young = noKeys();
    youngKeys = 0;
  }
  let keys = young[kind].get(name);
  if (!keys) {
    keys = new Map();
    young[kind].set(name, keys);
  }
  keys.set(text, key);
  youngKeys++;
  return key;
}

/** A fresh copy of the value that an input's text holds, so that no attempt sees what another one changed. */
export function decodeInput(input: AddressedInput): JsonValue | undefined {
  if (input.text === undefined) return undefined;
  const value: JsonValue = JSON.parse(input.text);
  return value;
}
