/** Signatures and hashes: synchronous where the runtime has `node:crypto`, by jose and WebCrypto elsewhere. */
import { encodeBase64url, type PublicKey } from "@aikirun/protocol";
import { type CryptoKey, compactVerify, importJWK } from "jose";
import type { Token } from "./token.js";

export interface SignatureVerifier {
  /** Whether the token was signed with this key, by the one algorithm that the key allows. Never throws. */
  verify(key: PublicKey, token: Token): boolean | Promise<boolean>;
  /** base64url SHA-256. */
  hash(bytes: Uint8Array): string | Promise<string>;
}

/** Bytes of an Ed25519 signature and of a P-256 one in the form of RFC 7518 section 3.4. */
const SIGNATURE_BYTES = 64;

export const joseVerifier: SignatureVerifier = {
  async verify(key, token) {
    if (!mayVerify(key, token)) return false;
    try {
      await compactVerify(token.text, await joseKey(key), { algorithms: [key.alg] });
      return true;
    } catch {
      return false;
    }
  },
  async hash(bytes) {
    return encodeBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes))));
  },
};

function mayVerify(key: PublicKey, token: Token): boolean {
  return token.alg === key.alg && token.signature.length === SIGNATURE_BYTES;
}

const joseKeys = new WeakMap<PublicKey, CryptoKey>();
async function joseKey(key: PublicKey): Promise<CryptoKey> {
  const known = joseKeys.get(key);
  if (known) return known;
  const imported = await importJWK({ ...key.jwk }, key.alg);
  if (imported instanceof Uint8Array) throw new TypeError("A public key is never a secret.");
  joseKeys.set(key, imported);
  return imported;
}

/** As much of `node:crypto` as is used here; the package must build without Node's types. */
interface NodeCrypto {
  createPublicKey(key: { key: object; format: "jwk" }): object;
  /** Since Node 20.12. */
  hash(name: "sha256", bytes: Uint8Array, encoding: "base64url"): string;
  verify(
    algorithm: "sha256" | null,
    data: Uint8Array,
    key: object | { key: object; dsaEncoding: "ieee-p1363" },
    signature: Uint8Array,
  ): boolean;
}

/** Undefined where there is no `process.getBuiltinModule` (Node before 20.16 and 22.3, other runtimes). */
export function nodeVerifier(): SignatureVerifier | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const node = process?.getBuiltinModule?.("node:crypto") as NodeCrypto | undefined;
  if (typeof node?.verify !== "function" || typeof node.hash !== "function") return undefined;
  const keys = new WeakMap<PublicKey, object>();
  return {
    verify(key, token) {
      if (!mayVerify(key, token)) return false;
      try {
        let imported = keys.get(key);
        if (!imported) {
          imported = node.createPublicKey({ key: { ...key.jwk }, format: "jwk" });
          keys.set(key, imported);
        }
        if (key.alg === "Ed25519") return node.verify(null, token.signed, imported, token.signature);
        return node.verify("sha256", token.signed, { key: imported, dsaEncoding: "ieee-p1363" }, token.signature);
      } catch {
        // A runtime with half of node:crypto, or a point that is not on the curve: jose decides.
        return joseVerifier.verify(key, token);
      }
    },
    hash: (bytes) => node.hash("sha256", bytes, "base64url"),
  };
}
