import type { Divergence, WireError } from "@aikirun/protocol";
import { parseEntryKey } from "@aikirun/protocol/canonical";

/** What the protocol carries of a divergence. */
const MAX_LINES = 100;
const MAX_LINE_CHARS = 2_000;
const MAX_INPUT_CHARS = 80;
const HASH_CHARS = 8;

/** `close of event paid #1`: a wait that was given up. */
export function describeClose(key: string): string {
  return `close of ${describeKey(key, () => undefined)}`;
}

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

/** The keys that nothing asked for, those that nothing gave up, and the new calls, as a person reads them. */
export function divergenceOf(
  leftoverKeys: readonly string[],
  unclosedKeys: readonly string[],
  asked: readonly AskedCall[],
  inputText: InputText,
): Divergence {
  const asks = asked.slice(0, MAX_LINES).map(({ call, input }) => (input === undefined ? call : `${call} ${input}`));
  const leftover = leftoverKeys.slice(0, MAX_LINES).map((key) => describeKey(key, inputText));
  return { leftover: [...leftover, ...unclosedKeys.map(describeClose)].slice(0, MAX_LINES), asked: asks };
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

/** An address without its input: a task's name, a child as `survey@1.0.0`. */
function nameOf(kind: string, address: string): string {
  if (kind === "task") return partsOf(address).name;
  if (kind === "child") return childOf(address).name;
  if (kind !== "wait") return address;
  const slash = address.lastIndexOf("/");
  const child = parseEntryKey(address.slice(0, slash));
  return `for child ${childOf(child?.address ?? "").name} to be ${address.slice(slash + 1)}`;
}

/** `task charge-card #1 {"cents":999}`; an input of which only the hash is known: `task charge-card #1 (input 5f2c09aa)`. */
function describeKey(key: string, inputText: InputText): string {
  const parsed = parseEntryKey(key);
  if (!parsed) return key;
  const { kind, address, index } = parsed;
  const called = `${kind} ${nameOf(kind, address)} #${index + 1}`;
  if (kind === "task") return `${called} ${shownInput(partsOf(address).rest, inputText)}`.trimEnd();
  if (kind !== "child") return called;
  const { rest } = childOf(address);
  const shown = /^[0-9a-f]{64}$/.test(rest) ? shownInput(rest, inputText) : `(reference ${rest})`;
  return `${called} ${shown}`.trimEnd();
}

function shownInput(hash: string, inputText: InputText): string {
  const text = inputText(hash);
  return text === undefined ? `(input ${hash.slice(0, HASH_CHARS)})` : cut(text);
}

/** `name:hash`; a name may hold colons. */
function partsOf(address: string): { readonly name: string; readonly rest: string } {
  const colon = address.lastIndexOf(":");
  return { name: address.slice(0, colon), rest: address.slice(colon + 1) };
}

/** `workflow:version:(reference or hash)`; a version holds no colon, a reference may. */
function childOf(address: string): { readonly name: string; readonly rest: string } {
  const match = /^(.*):([^:]+):([0-9a-f]{64})$/s.exec(address) ?? /^(.*?):([^:]+):(.*)$/s.exec(address);
  return match ? { name: `${match[1]}@${match[2]}`, rest: match[3] ?? "" } : { name: address, rest: "" };
}
