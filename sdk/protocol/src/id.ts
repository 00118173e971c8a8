import { sha256Hex } from "./hash.js";

/** Ids made here or by the client: a prefix and a UUIDv7-like value, sortable by the time they were made. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export type IdPrefix = "run" | "push" | "ep" | "msg" | "key" | "sch" | "worker";

/** A new id: 48 bits of milliseconds and 80 random bits in Crockford's base 32, e.g. `run_01k...`. */
export function newId(prefix: IdPrefix, nowMs: number = Date.now(), random: Uint8Array = randomBytes()): string {
  let tail = "";
  for (let i = 0; i < 16; i++) tail += ALPHABET.charAt((random[i] ?? 0) & 31);
  return `${prefix}_${timeText(nowMs)}${tail}`;
}

/** When an id was made, in milliseconds since the Unix epoch, by the clock of whoever made it. */
export function timeOfId(id: string): number {
  const time = id.slice(id.indexOf("_") + 1).slice(0, 10);
  return [...time].reduce((ms, letter) => ms * 32 + ALPHABET.indexOf(letter), 0);
}

function timeText(ms: number): string {
  let time = "";
  for (let rest = ms, i = 0; i < 10; i++) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  return time;
}

/**
 * The id of a child run: derived from its parent's id and its entry's key, so that both sides know it before the child
 * exists and no replay can start a second one. It shares the time prefix of its parent.
 */
export function childRunId(parentId: string, key: string): string {
  return `${parentId.slice(0, 14)}${derivedTail(`${parentId}/${key}`)}`;
}

/**
 * The id of the run that a schedule starts at one of its instants: whoever fires that instant, and however often it is
 * tried, it is this one run.
 */
export function scheduledRunId(scheduleId: string, atMs: number): string {
  return `run_${timeText(atMs)}${derivedTail(`${scheduleId}/${atMs}`)}`;
}

function derivedTail(from: string): string {
  const hash = sha256Hex(from);
  let tail = "";
  for (let i = 0; i < 16; i++) tail += ALPHABET.charAt(Number.parseInt(hash.slice(2 * i, 2 * i + 2), 16) & 31);
  return tail;
}

function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}
