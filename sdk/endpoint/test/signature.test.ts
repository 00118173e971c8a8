import { beforeAll, describe, expect, it } from "vitest";
import { joseVerifier, nodeVerifier, type SignatureVerifier } from "../src/signature.js";
import { readToken, type Token } from "../src/token.js";
import { CORPUS, type Kit } from "./corpus.js";
import { bodyHash, signingKey } from "./orchestrator.js";

describe("node:crypto agrees with jose", () => {
  let kit: Kit;
  let node: SignatureVerifier;
  beforeAll(async () => {
    const [ed, es, stranger] = await Promise.all([signingKey("Ed25519"), signingKey("ES256"), signingKey("Ed25519")]);
    kit = { url: "http://app.test/api/aiki", ed, es, stranger };
    const found = nodeVerifier();
    if (!found) throw new Error("This Node has no process.getBuiltinModule: the tests need 20.16 or newer.");
    node = found;
  });

  async function tokenOf(make: (kit: Kit) => unknown): Promise<Token | undefined> {
    const { headers } = (await make(kit)) as { headers: Record<string, string> };
    try {
      return readToken((name) => headers[name]);
    } catch {
      return undefined;
    }
  }

  it("about every token of the corpus that can be read, under each key", async () => {
    let compared = 0;
    let good = 0;
    for (const { name, make } of CORPUS) {
      const token = await tokenOf(make);
      if (!token) continue;
      for (const { publicKey } of [kit.ed, kit.es, kit.stranger]) {
        const [byNode, byJose] = [await node.verify(publicKey, token), await joseVerifier.verify(publicKey, token)];
        expect(byNode, name).toBe(byJose);
        compared++;
        if (byNode) good++;
      }
    }
    expect(compared).toBeGreaterThan(200);
    expect(good).toBeGreaterThan(50);
  });

  it("about a true token with any one byte of its signature changed", async () => {
    for (const key of [kit.ed, kit.es]) {
      const made = CORPUS.find(
        ({ name }) => name === (key === kit.es ? "alg: a true ES256 token" : "request: as it should be"),
      );
      const token = await tokenOf((given) => made?.make(given));
      if (!token) throw new Error("the corpus has no true token");
      expect(await node.verify(key.publicKey, token)).toBe(true);
      for (let i = 0; i < 64; i++) {
        const signature = Uint8Array.from(token.signature, (byte, at) => (at === i ? byte ^ 0x10 : byte));
        const text = `${token.text.slice(0, token.text.lastIndexOf("."))}.${Buffer.from(signature).toString("base64url")}`;
        const changed = { ...token, signature, text };
        expect([await node.verify(key.publicKey, changed), await joseVerifier.verify(key.publicKey, changed)]).toEqual([
          false,
          false,
        ]);
      }
    }
  });

  it("about hashes", async () => {
    for (const body of ["", "{}", "☃".repeat(10_000)]) {
      const bytes = new TextEncoder().encode(body);
      expect([await node.hash(bytes), await joseVerifier.hash(bytes)]).toEqual([bodyHash(body), bodyHash(body)]);
    }
  });
});
