/** API keys: how they look, and who a request comes from. Only a key's hash is stored. */
import { AikiError, newId, sha256Hex } from "@aikirun/protocol";
import type { KeyStore, StoredKey } from "../store/port.js";
import type { Sessions } from "./sessions.js";

export type Scope = StoredKey["scope"];

/** Whom a request speaks for. */
export interface Caller {
  readonly ns: string;
  readonly scope: Scope;
  /** The bootstrap key: makes keys for any namespace. */
  readonly everywhere: boolean;
  /** How it is known. */
  readonly by: "key" | "cookie" | "nothing";
  /** Of a key, for a session to be made of it. */
  readonly keyHash?: string;
  readonly keyExpiresAt?: number | undefined;
  /** Of a cookie. */
  readonly sessionUntil?: number;
}

/** What a request says of who sent it: headers. */
export interface Credentials {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
}

const RANK: Record<Scope, number> = { read: 0, write: 1, admin: 2 };

export function allows(scope: Scope, needed: Scope): boolean {
  return RANK[scope] >= RANK[needed];
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const SECRET_CHARS = 52;
const CHECK_CHARS = 6;
const KEY_PATTERN = new RegExp(`^aiki_[${ALPHABET}]{26}_[${ALPHABET}]{${SECRET_CHARS + CHECK_CHARS}}$`);

/**
 * `aiki_<id>_<secret><checksum>`: 260 random bits, recognisable for secret scanners, and a mistyped key is refused
 * without asking the database.
 */
export function newApiKey(): { id: string; secret: string; hash: string } {
  const id = newId("key");
  const random = crypto.getRandomValues(new Uint8Array(SECRET_CHARS));
  const body = `aiki_${id.slice("key_".length)}_${Array.from(random, (byte) => ALPHABET.charAt(byte & 31)).join("")}`;
  const secret = body + checksum(body);
  return { id, secret, hash: sha256Hex(secret) };
}

function isApiKey(text: string): boolean {
  return KEY_PATTERN.test(text) && checksum(text.slice(0, -CHECK_CHARS)) === text.slice(-CHECK_CHARS);
}

function checksum(body: string): string {
  const hash = sha256Hex(body);
  let check = "";
  for (let i = 0; i < CHECK_CHARS; i++)
    check += ALPHABET.charAt(Number.parseInt(hash.slice(2 * i, 2 * i + 2), 16) & 31);
  return check;
}

/** Undefined: nobody known. */
export type Authenticate = (credentials: Credentials) => Promise<Caller | undefined>;

/** `aiki dev` on loopback: whoever reaches it may do everything in the default namespace. */
export const everyone: Authenticate = async () => ({ ns: "default", scope: "admin", everywhere: true, by: "nothing" });

export interface AuthenticateOptions {
  readonly store: Pick<KeyStore, "findKey">;
  /** The bootstrap key of the settings. */
  readonly adminKey: string | undefined;
  /** Absent: cookies say nothing. */
  readonly sessions?: Pick<Sessions, "read">;
  readonly now: () => number;
  /** What was found lately. Several that ask may share it. */
  readonly known?: KnownKeys;
}

export type KnownKeys = Map<string, { readonly key: StoredKey | undefined; readonly at: number }>;

/** A revoked key works no longer than this, on any replica, and an unknown one costs one statement in this time. */
const CACHED_FOR_MS = 30_000;
const CACHED_KEYS = 10_000;

export function authenticateWith({
  store,
  adminKey,
  sessions,
  now,
  known = new Map(),
}: AuthenticateOptions): Authenticate {
  const adminHash = adminKey === undefined ? undefined : sha256Hex(adminKey);
  const find = async (hash: string): Promise<StoredKey | undefined> => {
    const cached = known.get(hash);
    if (cached && now() - cached.at < CACHED_FOR_MS) return cached.key;
    const at = now();
    const key = await store.findKey(hash);
    known.delete(hash);
    if (known.size >= CACHED_KEYS) for (const oldest of known.keys()) if (known.delete(oldest)) break;
    known.set(hash, { key, at });
    return key;
  };
  /** Hashes are compared, so that the time it takes says nothing about the key. */
  const callerOf = async (keyHash: string): Promise<Caller | undefined> => {
    if (keyHash === adminHash) return { ns: "default", scope: "admin", everywhere: true, by: "key", keyHash };
    const key = await find(keyHash);
    if (!key || key.revokedAt !== undefined || (key.expiresAt !== undefined && key.expiresAt <= now()))
      return undefined;
    return { ns: key.ns, scope: key.scope, everywhere: false, by: "key", keyHash, keyExpiresAt: key.expiresAt };
  };
  return async ({ authorization, cookie }) => {
    if (authorization === undefined) {
      const session = await sessions?.read(cookie);
      const caller = session && (await callerOf(session.keyHash));
      return caller && { ...caller, by: "cookie", sessionUntil: session.expiresAt };
    }
    const token = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization)?.[1];
    if (token === undefined) return undefined;
    const keyHash = sha256Hex(token);
    return keyHash === adminHash || isApiKey(token) ? callerOf(keyHash) : undefined;
  };
}

export function unauthorized(presented: boolean): AikiError {
  return new AikiError(
    "UNAUTHORIZED",
    presented
      ? "This API key is unknown, revoked or expired. aiki keys list shows the keys; AIKI_API_KEY is where the client reads it."
      : "An API key is needed: Authorization: Bearer <key>. Set AIKI_API_KEY, or make a key with aiki keys create.",
  );
}

export function forbidden(caller: Caller, needed: Scope): AikiError {
  return new AikiError("FORBIDDEN", `This key has the scope ${caller.scope}; this needs ${needed}.`);
}
