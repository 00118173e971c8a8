/**
 * Browsers that signed in with an API key. What they carry is the key's hash, sealed: nothing is stored, any replica knows
 * them, and a key that is revoked or expires takes its sessions with it.
 */
import { AikiError, LIMITS } from "@aikirun/protocol";
import * as z from "zod";
import type { Seal } from "../dispatch/seal.js";

const PURPOSE = "aiki session";
/** The prefix binds a cookie to this host, to `Path=/` and to https (RFC 6265bis, section 4.1.3.2). */
const SECURE_NAME = "__Host-aiki-session";
const PLAIN_NAME = "aiki-session";
const COOKIE = new RegExp(`(?:^|;\\s*)(?:${SECURE_NAME}|${PLAIN_NAME})=([A-Za-z0-9_.-]{1,1000})(?:;|$)`);

export interface OpenSession {
  readonly keyHash: string;
  readonly expiresAt: number;
}
const openSchema = z.strictObject({ keyHash: z.string(), expiresAt: z.number() });

export class Sessions {
  readonly #seal: Seal;
  readonly #now: () => number;

  constructor(seal: Seal, now: () => number) {
    this.#seal = seal;
    this.#now = now;
  }

  /** `Set-Cookie` for a browser that speaks from `origin`. A session ends with its key, if that is sooner. */
  async begin(keyHash: string, keyExpiresAt: number | undefined, origin: string | undefined) {
    const now = this.#now();
    const expiresAt = Math.min(now + LIMITS.sessionMs, keyExpiresAt ?? Number.POSITIVE_INFINITY);
    const value = await this.#seal.close(JSON.stringify({ keyHash, expiresAt }), PURPOSE);
    const maxAgeS = Math.max(0, Math.floor((expiresAt - now) / 1_000));
    return { expiresAt, cookie: cookie(value, maxAgeS, isSecure(origin)) };
  }

  /** Undefined: there is no session, or it is over. */
  async read(cookies: string | undefined): Promise<OpenSession | undefined> {
    const sealed = COOKIE.exec(cookies ?? "")?.[1];
    if (sealed === undefined) return undefined;
    try {
      const session = openSchema.parse(JSON.parse(await this.#seal.open(sealed, PURPOSE)));
      return session.expiresAt > this.#now() ? session : undefined;
    } catch {
      // Sealed with a secret from before, or by nobody.
      return undefined;
    }
  }
}

/** `Set-Cookie` lines that end a session, whichever name it has. */
export function endOfSession(): string[] {
  return [cookie("", 0, true), cookie("", 0, false)];
}

function cookie(value: string, maxAgeS: number, secure: boolean): string {
  const name = secure ? SECURE_NAME : PLAIN_NAME;
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secure ? "; Secure" : ""}`;
}

/** A browser says with every POST where it speaks from; a proxy in front may speak another scheme to us. */
function isSecure(origin: string | undefined): boolean {
  return origin?.startsWith("https:") === true;
}

/** Who tries to sign in: the peer, and whom a proxy says it speaks for. */
export interface Origin {
  readonly address: string;
  readonly forwardedFor: string | undefined;
}

/** Addresses that are remembered; the one unused for longest is forgotten first. */
const MOST_ADDRESSES = 10_000;
const MINUTE_MS = 60_000;
/** A peer may be a proxy with many people behind it, or one that says so. */
const PER_PEER = 10;

/** Slows down whoever tries keys. */
export class FailedSignIns {
  readonly #now: () => number;
  readonly #failures = new Map<string, number[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws `TOO_MANY_ATTEMPTS`. */
  check(origin: Origin): void {
    for (const [key, most] of limitsOf(origin)) {
      const recent = this.#recent(key);
      const [oldest] = recent.slice(-most);
      if (oldest === undefined || recent.length < most) continue;
      const retryAfterMs = oldest + MINUTE_MS - this.#now();
      throw new AikiError(
        "TOO_MANY_ATTEMPTS",
        `${most} sign-ins from this address have failed within a minute. Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`,
        { details: { retryAfterMs } },
      );
    }
  }

  count(origin: Origin): void {
    for (const [key, most] of limitsOf(origin)) {
      this.#failures.set(key, [...this.#recent(key), this.#now()].slice(-most));
      if (this.#failures.size <= MOST_ADDRESSES) continue;
      for (const first of this.#failures.keys()) if (this.#failures.delete(first)) break;
    }
  }

  #recent(key: string): number[] {
    const since = this.#now() - MINUTE_MS;
    const recent = (this.#failures.get(key) ?? []).filter((at) => at > since);
    this.#failures.delete(key);
    if (recent.length > 0) this.#failures.set(key, recent);
    return recent;
  }
}

/** Only the last hop of a proxy's list was written by the peer itself. */
function limitsOf({ address, forwardedFor }: Origin): [string, number][] {
  const last = forwardedFor?.split(",").at(-1)?.trim().slice(0, 100) ?? "";
  return [
    [`${address} ${last}`, LIMITS.signInsPerMinute],
    [address, LIMITS.signInsPerMinute * PER_PEER],
  ];
}
