import type { Divergence, WireError } from "@aikirun/protocol";
import { parseEntryKey } from "@aikirun/protocol/canonical";

/** What the protocol carries of a divergence. */
const MAX_LINES = 100;
const MAX_LINE_CHARS = 2_000;
const MAX_INPUT_CHARS = 80;
const HASH_CHARS = 8;

/** A call that history does not know, as a person reads it. */
export interface AskedCall {
  /** `task charge-card` */
  readonly call: string;
  /** `{"cents":1000}`, cut. */
  readonly input: string | undefined;
}

export function describeCall(kind: string, name: string, inputText?: string): AskedCall {
  return { call: `${kind} ${name}`, input: inputText === undefined ? undefined : cut(inputText) };
}

function cut(inputText: string): string {
  return inputText.length > MAX_INPUT_CHARS ? `${inputText.slice(0, MAX_INPUT_CHARS)}…` : inputText;
}

/** The text of an input by its hash, where it is known. */
type InputText = (hash: string) => string | undefined;

/** The keys that nothing asked for and the new calls, as a person reads them. */
export function divergenceOf(
  leftoverKeys: readonly string[],
  asked: readonly AskedCall[],
  inputText: InputText,
): Divergence {
  const asks = asked.slice(0, MAX_LINES).map(({ call, input }) => (input === undefined ? call : `${call} ${input}`));
  return { leftover: leftoverKeys.slice(0, MAX_LINES).map((key) => describeKey(key, inputText)), asked: asks };
}

/** The same for runs that diverge at the same call, whatever its input and however far each of them has come. */
export function likenessOf(
  leftoverKeys: readonly string[],
  asked: readonly AskedCall[],
  thrown: WireError | undefined,
): string {
  const [key = ""] = leftoverKeys;
  const first = parseEntryKey(key);
  const recorded = first ? `${first.kind} ${nameOf(first.kind, first.address)}` : key;
  return [recorded, asked[0]?.call ?? thrown?.name ?? "nothing"].join(" / ").slice(0, MAX_LINE_CHARS);
}

/** An address without the hash of its input. */
function nameOf(kind: string, address: string): string {
  return kind === "task" ? address.slice(0, address.lastIndexOf(":")) : address.replace(/:[0-9a-f]{64}(?=$|#)/, "");
}

/** `task charge-card #1 {"cents":999}`; an input of which only the hash is known: `task charge-card #1 (input 5f2c09aa)`. */
function describeKey(key: string, inputText: InputText): string {
  const parsed = parseEntryKey(key);
  if (!parsed) return key;
  const { kind, address, index } = parsed;
  if (kind === "wait") {
    const slash = address.lastIndexOf("/");
    return `wait for ${describeKey(address.slice(0, slash), inputText)} to be ${address.slice(slash + 1)} #${index + 1}`;
  }
  if (kind === "task") {
    const hash = address.slice(address.lastIndexOf(":") + 1);
    const input = inputText(hash);
    const shown = input === undefined ? `(input ${hash.slice(0, HASH_CHARS)})` : cut(input);
    return `task ${nameOf(kind, address)} #${index + 1} ${shown}`.trimEnd();
  }
  return `${kind} ${kind === "child" ? address.replace(/[0-9a-f]{64}$/, (hash) => hash.slice(0, HASH_CHARS)) : address} #${index + 1}`;
}
