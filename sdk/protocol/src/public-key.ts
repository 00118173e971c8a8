/**
 * The one textual form of a public key: `ed25519:<base64url of the 32 bytes>` or `es256:<base64url of x and y, 64 bytes>`.
 * `aiki keys public` prints it, `AIKI_PUBLIC_KEYS` holds a comma-separated list of it.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64url, encodeBase64url } from "./base64url.js";

/** RFC 8037 and RFC 7518 public keys, reduced to the members that RFC 7638 hashes. */
export type PublicJwk =
  | { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string }
  | { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string };

/** A key, the only algorithm that it may be used with, and the `kid` that names it in tokens. */
export interface PublicKey {
  readonly kid: string;
  readonly alg: "Ed25519" | "ES256";
  readonly jwk: PublicJwk;
}

const COORDINATE_BYTES = 32;

/** Reads a JWK; members beyond the public ones are dropped. Undefined when it is no key of an allowed kind. */
export function publicKeyFromJwk(jwk: object): PublicKey | undefined {
  const { kty, crv, x, y, alg } = jwk as Record<string, unknown>;
  if (!isCoordinate(x)) return undefined;
  if (kty === "OKP" && crv === "Ed25519") {
    // RFC 9864 replaces the name EdDSA by Ed25519; published keys may still carry the old one.
    if (alg !== undefined && alg !== "Ed25519" && alg !== "EdDSA") return undefined;
    return withKid("Ed25519", { kty, crv, x });
  }
  if (kty === "EC" && crv === "P-256" && isCoordinate(y)) {
    if (alg !== undefined && alg !== "ES256") return undefined;
    return withKid("ES256", { kty, crv, x, y });
  }
  return undefined;
}

export function formatPublicKey({ jwk }: PublicKey): string {
  if (jwk.kty === "OKP") return `ed25519:${jwk.x}`;
  const bytes = new Uint8Array(2 * COORDINATE_BYTES);
  bytes.set(decodeBase64url(jwk.x) ?? []);
  bytes.set(decodeBase64url(jwk.y) ?? [], COORDINATE_BYTES);
  return `es256:${encodeBase64url(bytes)}`;
}

/** Undefined when the text is not one key in the form above. White space around it is ignored. */
export function parsePublicKey(text: string): PublicKey | undefined {
  const match = /^\s*(ed25519|es256):([A-Za-z0-9_-]+)\s*$/.exec(text);
  const bytes = match?.[2] === undefined ? undefined : decodeBase64url(match[2]);
  if (!match || !bytes) return undefined;
  if (match[1] === "ed25519") return publicKeyFromJwk({ kty: "OKP", crv: "Ed25519", x: match[2] });
  if (bytes.length !== 2 * COORDINATE_BYTES) return undefined;
  const x = encodeBase64url(bytes.subarray(0, COORDINATE_BYTES));
  const y = encodeBase64url(bytes.subarray(COORDINATE_BYTES));
  return publicKeyFromJwk({ kty: "EC", crv: "P-256", x, y });
}

function withKid(alg: PublicKey["alg"], jwk: PublicJwk): PublicKey {
  return { kid: thumbprint(jwk), alg, jwk };
}

/** RFC 7638: the SHA-256 of the required members in lexicographic order. */
function thumbprint(jwk: PublicJwk): string {
  const { kty, crv, x } = jwk;
  const members = jwk.kty === "OKP" ? { crv, kty, x } : { crv, kty, x, y: jwk.y };
  return encodeBase64url(sha256(new TextEncoder().encode(JSON.stringify(members))));
}

function isCoordinate(value: unknown): value is string {
  return typeof value === "string" && decodeBase64url(value)?.length === COORDINATE_BYTES;
}
