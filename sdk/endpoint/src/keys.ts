/** Which public keys this app trusts, and where it learns them. */
import { type PublicKey, parsePublicKey, publicKeyFromJwk } from "@aikirun/protocol";
import { onWorkers } from "./environment.js";
import { Refusal } from "./refusal.js";

export interface KeySource {
  /** For the log: where the keys come from. */
  readonly name: string;
  /** Whether an orchestrator on this machine is asked for them, as only a developer's is. */
  readonly local: boolean;
  /** The key of this id. Undefined: it is not among the trusted ones. */
  find(kid: string): PublicKey | undefined | Promise<PublicKey | undefined>;
  /** The ids that are known now. */
  kids(): readonly string[];
}

export function pinnedKeys(keys: readonly PublicKey[]): KeySource {
  const byKid = new Map(keys.map((key) => [key.kid, key]));
  const name = "AIKI_PUBLIC_KEYS";
  return { name, local: false, find: (kid) => byKid.get(kid), kids: () => [...byKid.keys()] };
}

/** Reads a comma-separated list. The first item that is no key, or undefined. */
export function parsePublicKeys(texts: readonly string[]): { keys: PublicKey[]; bad: string | undefined } {
  const items = texts.flatMap((text) => text.split(",")).filter((item) => item.trim() !== "");
  const keys = items.map(parsePublicKey);
  return { keys: keys.filter((key) => key !== undefined), bad: items[keys.indexOf(undefined)] };
}

const JWKS_TIMEOUT_MS = 5_000;
const JWKS_MAX_AGE_MS = 10 * 60_000;
/** Keys older than `JWKS_MAX_AGE_MS` still count this long while the orchestrator cannot be asked. */
const JWKS_STALE_MS = 60 * 60_000;
const JWKS_KEYS = 100;
const JWKS_BYTES = 256 * 1024;
/** At most one request in this time, whatever ids the tokens name; `rm -rf .aiki` must not stop a developer for long. */
const REFETCH_MS = 30_000;
const REFETCH_LOOPBACK_MS = 1_000;

export interface JwksOptions {
  readonly url: string;
  readonly now?: () => number;
  readonly fetch?: typeof fetch;
}

export function jwksKeys({ url, now = Date.now, fetch: get = fetch }: JwksOptions): KeySource {
  const local = isLoopback(url);
  const refetchMs = local ? REFETCH_LOOPBACK_MS : REFETCH_MS;
  let keys = new Map<string, PublicKey>();
  let loadedAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let pending: Promise<void> | undefined;

  async function load(): Promise<void> {
    askedAt = now();
    try {
      keys = await fetchKeys(url, get);
      loadedAt = now();
      failure = undefined;
    } catch (error) {
      failure = error;
    }
  }
  /** On Workers a request cannot wait for what another one fetches, so there each asks for itself. */
  async function refresh(): Promise<void> {
    if (onWorkers()) return await load();
    pending ??= load().finally(() => {
      pending = undefined;
    });
    await pending;
  }

  return {
    name: url,
    local,
    kids: () => [...keys.keys()],
    async find(kid) {
      const fresh = () => now() - loadedAt < JWKS_MAX_AGE_MS;
      if (fresh() && keys.has(kid)) return keys.get(kid);
      const firstUnderWay = loadedAt < 0 && failure === undefined;
      if (pending || firstUnderWay || now() - askedAt >= refetchMs) await refresh();
      if (now() - loadedAt < JWKS_STALE_MS && (failure === undefined || keys.has(kid))) return keys.get(kid);
      throw unreachable(url, failure);
    },
  };
}

async function fetchKeys(url: string, get: typeof fetch): Promise<Map<string, PublicKey>> {
  // A redirect could lead to keys of somebody else.
  const response = await get(url, { redirect: "manual", signal: AbortSignal.timeout(JWKS_TIMEOUT_MS) });
  if (response.status !== 200) throw new Error(`it answered ${response.status}`);
  if (Number(response.headers.get("content-length") ?? 0) > JWKS_BYTES) throw new Error("the answer is too long");
  const text = await response.text();
  const set: unknown = text.length <= JWKS_BYTES ? JSON.parse(text) : undefined;
  const list = (set as { keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(list)) throw new Error("the answer is not a JWK set");
  const found = new Map<string, PublicKey>();
  for (const jwk of list.slice(0, JWKS_KEYS)) {
    const key = typeof jwk === "object" && jwk !== null ? publicKeyFromJwk(jwk) : undefined;
    if (key) found.set(key.kid, key);
  }
  return found;
}

function isLoopback(url: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(url).hostname);
}

function unreachable(url: string, failure: unknown): Refusal {
  const cause = failure instanceof Error ? failure : new Error(String(failure));
  const detail = cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
  return new Refusal(503, "KEYS_UNREACHABLE", "This app could not fetch the orchestrator's keys. Its log says why.", {
    reason: `Cannot fetch the orchestrator's keys from ${url} (${detail}). Start it, or set AIKI_URL or AIKI_PUBLIC_KEYS.`,
    headers: { "retry-after": "5" },
  });
}

/** For a machine on which nothing is configured and nobody but its developer can be harmed. */
export const DEVELOPMENT_URL = "http://localhost:9850";
export const JWKS_PATH = "/.well-known/jwks.json";

/** No key is trusted until somebody says which. */
export const noKeys: KeySource = {
  name: "nothing",
  local: false,
  kids: () => [],
  find() {
    throw new Refusal(
      403,
      "KEYS_MISSING",
      "This app does not know which orchestrator to trust. " +
        "Set AIKI_PUBLIC_KEYS (print it with `aiki keys public`) or AIKI_URL.",
    );
  },
};
