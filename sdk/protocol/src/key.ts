/**
 * The kinds of history entries. `wait` is one `waitForStatus` of a child; `run` is the run's own course and end.
 */
export type EntryKind = "task" | "sleep" | "event" | "child" | "wait" | "run";

/**
 * The key of one entry: its kind, the address of the call, and the call's index among calls of that address.
 *
 * | kind  | address |
 * |-------|---------|
 * | task  | `name:inputHash` |
 * | sleep | `name` |
 * | event | `name` |
 * | child | `workflow:version:(reference or inputHash)`; with a reference one index for all calls: one child |
 * | wait  | the child's key, `/`, the awaited status |
 * | run   | empty; always index 0 |
 */
export function entryKey(kind: EntryKind, address: string, index: number): string {
  return `${kind}:${address}#${index}`;
}

/** Takes a key apart again. Undefined when the text is no key. */
export function parseEntryKey(key: string): { kind: EntryKind; address: string; index: number } | undefined {
  const match = /^(task|sleep|event|child|wait|run):(.*)#(0|[1-9]\d{0,8})$/s.exec(key);
  if (!match) return undefined;
  return { kind: match[1] as EntryKind, address: match[2] as string, index: Number(match[3]) };
}

/** The child's key that a wait's key names. Undefined for the key of anything else. */
export function childOfWait(key: string): string | undefined {
  const parsed = parseEntryKey(key);
  return parsed?.kind === "wait" ? parsed.address.slice(0, parsed.address.lastIndexOf("/")) : undefined;
}
