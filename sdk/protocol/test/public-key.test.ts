import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "../src/base64url.js";
import { formatPublicKey, parsePublicKey, publicKeyFromJwk } from "../src/public-key.js";

describe("public keys", () => {
  it.each(["Ed25519", "ES256"] as const)(
    "%s survives its textual form and has jose's thumbprint as kid",
    async (alg) => {
      const jwk = await exportJWK((await generateKeyPair(alg, { extractable: true })).publicKey);
      const key = publicKeyFromJwk({ ...jwk, kid: "ignored", use: "sig" });
      expect(key).toMatchObject({ alg, kid: await calculateJwkThumbprint(jwk) });
      expect(parsePublicKey(` ${formatPublicKey(key!)}\n`)).toEqual(key);
    },
  );

  it("reproduces the thumbprint of RFC 8037, appendix A.3", () => {
    const key = parsePublicKey("ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    expect(key?.kid).toBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  });

  it.each([
    "",
    "ed25519:",
    "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR",
    "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp",
    "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "es256:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "rsa:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  ])("refuses %j", (text) => expect(parsePublicKey(text)).toBeUndefined());

  it("refuses a JWK of another kind or algorithm and drops a secret", () => {
    const x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    expect(publicKeyFromJwk({ kty: "oct", k: x })).toBeUndefined();
    expect(publicKeyFromJwk({ kty: "OKP", crv: "X25519", x })).toBeUndefined();
    expect(publicKeyFromJwk({ kty: "OKP", crv: "Ed25519", x, alg: "HS256" })).toBeUndefined();
    expect(publicKeyFromJwk({ kty: "EC", crv: "P-256", x })).toBeUndefined();
    expect(publicKeyFromJwk({ kty: "OKP", crv: "Ed25519", x, d: x })?.jwk).not.toHaveProperty("d");
  });
});

describe("base64url", () => {
  it("round-trips every length and refuses every other spelling", () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);
      expect(decodeBase64url(encodeBase64url(bytes))).toEqual(bytes);
    }
    for (const text of ["A", "AA==", "AA\n", " AA", "A+8", "A/8", "AB", "AAB"])
      expect(decodeBase64url(text)).toBeUndefined();
  });
});
