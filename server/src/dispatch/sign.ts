/** The token that travels with every push: a JWT (RFC 7519) bound to the URL, the namespace, the run and the body. */
import {
  CLOCK_TOLERANCE_S,
  type Fence,
  PROTOCOL_VERSION,
  PUSH_TOKEN_LIFETIME_S,
  PUSH_TOKEN_TYPE,
  type PushClaims,
} from "@aikirun/protocol";
import { base64url, CompactSign, importJWK, type JWK } from "jose";

export type SigningAlgorithm = "Ed25519" | "ES256";

/**
 * Signs tokens with one key. An implementation that can answer at once does so without a promise: signing is on the
 * path of every push, and a synchronous signature costs a third of WebCrypto's.
 */
export interface Signer {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  /** A compact JWS (RFC 7515) over `payload`, under the header `{alg, kid, typ: "aiki-push+jwt"}`. */
  sign(payload: string): string | Promise<string>;
  /** base64url SHA-256 of the UTF-8 text. */
  digest(text: string): string | Promise<string>;
}

export type MakeSigner = (kid: string, privateJwk: JWK) => Signer | Promise<Signer>;

/** What a token says beside its times and the body's hash. */
export interface PushSubject {
  readonly iss: string;
  readonly aud: string;
  readonly ns: string;
  readonly sub: string;
  readonly pushId: string;
  readonly fence: Fence;
}

export function pushToken(signer: Signer, subject: PushSubject, body: string, nowMs: number): string | Promise<string> {
  const bsh = signer.digest(body);
  return typeof bsh === "string"
    ? signer.sign(payload(subject, bsh, nowMs))
    : bsh.then((hash) => signer.sign(payload(subject, hash, nowMs)));
}

function payload(subject: PushSubject, bsh: string, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000);
  const claims: PushClaims = {
    iss: subject.iss,
    aud: subject.aud,
    ns: subject.ns,
    sub: subject.sub,
    jti: subject.pushId,
    iat,
    nbf: iat - CLOCK_TOLERANCE_S / 2,
    exp: iat + PUSH_TOKEN_LIFETIME_S,
    htm: "POST",
    bsh,
    epoch: subject.fence.epoch,
    gen: subject.fence.gen,
    seq: subject.fence.seq,
    pv: PROTOCOL_VERSION,
  };
  return JSON.stringify(claims);
}

export function tokenHeader(kid: string, alg: SigningAlgorithm): { alg: SigningAlgorithm; kid: string; typ: string } {
  return { alg, kid, typ: PUSH_TOKEN_TYPE };
}

/** RFC 9864 names the algorithm of an Ed25519 key `Ed25519`; a P-256 key signs with `ES256`. */
export function algorithmOf(jwk: JWK): SigningAlgorithm | undefined {
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return "Ed25519";
  return jwk.kty === "EC" && jwk.crv === "P-256" ? "ES256" : undefined;
}

/** Signs with WebCrypto on any runtime. */
export const webSigner: MakeSigner = async (kid, privateJwk) => {
  const alg = algorithmOf(privateJwk);
  if (!alg) throw new Error("A signing key is an Ed25519 or P-256 key.");
  const key = await importJWK(privateJwk, alg);
  const header = tokenHeader(kid, alg);
  return {
    kid,
    alg,
    sign: (text) => new CompactSign(new TextEncoder().encode(text)).setProtectedHeader(header).sign(key),
    digest: async (text) => {
      const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
      return base64url.encode(new Uint8Array(hash));
    },
  };
};
