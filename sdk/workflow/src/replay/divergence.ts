import type { Divergence } from "@aikirun/protocol";
import { parseEntryKey } from "@aikirun/protocol/canonical";

/** What the protocol carries of a divergence. */
const MAX_LINES = 100;
const MAX_INPUT_CHARS = 80;
const HASH_CHARS = 8;

/** The keys that nothing asked for, those that nothing gave up, and the new calls, as a person reads them. */
export function divergenceOf(
  leftoverKeys: readonly string[],
  unclosedKeys: readonly string[],
  asked: readonly string[],
): Divergence {
  const leftover = [...leftoverKeys.slice(0, MAX_LINES).map(describeKey), ...unclosedKeys.map(describeClose)];
  return { leftover: leftover.slice(0, MAX_LINES), asked: asked.slice(0, MAX_LINES) };
}

/** `close of event paid #1`: a wait that was given up. */
export function describeClose(key: string): string {
  return `close of ${describeKey(key)}`;
}

/** `task charge-card {"cents":1000}`, cut. */
export function describeCall(kind: string, name: string, inputText?: string): string {
  if (inputText === undefined) return `${kind} ${name}`;
  const shown = inputText.length > MAX_INPUT_CHARS ? `${inputText.slice(0, MAX_INPUT_CHARS)}…` : inputText;
  return `${kind} ${name} ${shown}`;
}

/** History holds the hash of an input, not the input: `task charge-card #1 (input 5f2c09aa)`. */
function describeKey(key: string): string {
  const parsed = parseEntryKey(key);
  if (!parsed) return key;
  const { kind, address, index } = parsed;
  if (kind === "wait") {
    const slash = address.lastIndexOf("/");
    return `wait for ${describeKey(address.slice(0, slash))} to be ${address.slice(slash + 1)} #${index + 1}`;
  }
  if (kind === "task") {
    const colon = address.lastIndexOf(":");
    return `task ${address.slice(0, colon)} #${index + 1} (input ${address.slice(colon + 1, colon + 1 + HASH_CHARS)})`;
  }
  return `${kind} ${kind === "child" ? address.replace(/[0-9a-f]{64}$/, (hash) => hash.slice(0, HASH_CHARS)) : address} #${index + 1}`;
}
