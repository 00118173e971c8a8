/** Signs with node:crypto, synchronously. */
import { createPrivateKey, hash as digest, sign } from "node:crypto";
import { algorithmOf, type MakeSigner, tokenHeader } from "../dispatch/sign.js";

export const nodeSigner: MakeSigner = (kid, privateJwk) => {
  const alg = algorithmOf(privateJwk);
  if (!alg) throw new Error("A signing key is an Ed25519 or P-256 key.");
  const key = createPrivateKey({ key: privateJwk as Record<string, string>, format: "jwk" });
  const header = Buffer.from(JSON.stringify(tokenHeader(kid, alg))).toString("base64url");
  const hash = alg === "Ed25519" ? null : "sha256";
  // RFC 7518 section 3.4: an ES256 signature is R and S side by side, not DER.
  const input = alg === "Ed25519" ? key : ({ key, dsaEncoding: "ieee-p1363" } as const);
  return {
    kid,
    alg,
    sign(payload) {
      const signed = `${header}.${Buffer.from(payload).toString("base64url")}`;
      return `${signed}.${sign(hash, Buffer.from(signed, "ascii"), input).toString("base64url")}`;
    },
    digest: (text) => digest("sha256", text, "base64url"),
  };
};
