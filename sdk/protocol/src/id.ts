/** Ids made here or by the client: a prefix and a UUIDv7-like value, sortable by the time they were made. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export type IdPrefix = "run" | "push" | "ep" | "msg" | "key";

/** A new id: 48 bits of milliseconds and 80 random bits in Crockford's base 32, e.g. `run_01k...`. */
export function newId(prefix: IdPrefix, nowMs: number = Date.now(), random: Uint8Array = randomBytes()): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 10; i++) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  return `${prefix}_${time}${base32(random, 16)}`;
}

/** Five bits of each of the first `length` bytes, in Crockford's base 32. */
export function base32(bytes: Uint8Array, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += ALPHABET.charAt((bytes[i] ?? 0) & 31);
  return text;
}

function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}
