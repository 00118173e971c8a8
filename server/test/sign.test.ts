import { newId, type PushClaims } from "@aikirun/protocol";
import { compactVerify, decodeProtectedHeader, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSigningKeys, pinnedSigningKey } from "../src/dispatch/keys.js";
import { sealWith } from "../src/dispatch/seal.js";
import { type MakeSigner, pushToken, webSigner } from "../src/dispatch/sign.js";
import { nodeSigner } from "../src/shell/node-signer.js";
import { memoryStore } from "../src/store/memory.js";
import type { KeyStore, Store, StoredSigningKey } from "../src/store/port.js";
import { openPostgresStore } from "../src/store/postgres/store.js";
import { testDatabase } from "./store/database.js";

const secret = (byte: number) => new Uint8Array(32).fill(byte);
const subject = () => ({
  iss: "https://aiki.example",
  aud: "https://app.example/api/aiki",
  ns: "default",
  sub: newId("run"),
  pushId: newId("push"),
  fence: { epoch: 1, gen: 2, seq: 3 },
});

async function newKey(alg: "Ed25519" | "ES256"): Promise<{ privateJwk: JWK; publicJwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateJwk: await exportJWK(privateKey), publicJwk: await exportJWK(publicKey) };
}

describe("the push token", () => {
  const makers: [string, MakeSigner][] = [
    ["node:crypto", nodeSigner],
    ["WebCrypto", webSigner],
  ];
  for (const [name, make] of makers) {
    for (const alg of ["Ed25519", "ES256"] as const) {
      it(`of ${name} with ${alg} verifies with jose and binds the body`, async () => {
        const { privateJwk, publicJwk } = await newKey(alg);
        const signer = await make("kid-1", privateJwk);
        const about = subject();
        const body = '{"text":"grün \u{1f600}"}';
        const token = await pushToken(signer, about, body, 1_700_000_000_999);
        const { payload } = await compactVerify(token, await importJWK(publicJwk, alg), { algorithms: [alg] });
        expect(decodeProtectedHeader(token)).toEqual({ alg, kid: "kid-1", typ: "aiki-push+jwt" });
        const claims = JSON.parse(new TextDecoder().decode(payload)) as PushClaims;
        const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
        expect(claims).toEqual({
          iss: about.iss,
          aud: about.aud,
          ns: "default",
          sub: about.sub,
          jti: about.pushId,
          iat: 1_700_000_000,
          nbf: 1_700_000_000 - 30,
          exp: 1_700_000_120,
          htm: "POST",
          bsh: Buffer.from(hash).toString("base64url"),
          epoch: 1,
          gen: 2,
          seq: 3,
          pv: 1,
        });
      });
    }
  }

  it("is made without a promise on Node", async () => {
    const { privateJwk } = await newKey("Ed25519");
    expect(pushToken(await nodeSigner("kid", privateJwk), subject(), "{}", 0)).toBeTypeOf("string");
  });
});

describe("sealing", () => {
  it("opens what it closed, for the same purpose only, and never twice the same", async () => {
    const seal = await sealWith(secret(1));
    const sealed = await seal.close("tokén", "a");
    expect(await seal.open(sealed, "a")).toBe("tokén");
    expect(await seal.close("tokén", "a")).not.toBe(sealed);
    expect(sealed).not.toContain("tok");
    await expect(seal.open(sealed, "b")).rejects.toMatchObject({ code: "SETTING_INVALID" });
    const altered = sealed.slice(0, -2) + (sealed.endsWith("A") ? "BB" : "AA");
    await expect(seal.open(altered, "a")).rejects.toMatchObject({ code: "SETTING_INVALID" });
    const other = await sealWith(secret(2));
    await expect(other.open(sealed, "a")).rejects.toMatchObject({ code: "SETTING_INVALID" });
  });
});

describe("signing keys", () => {
  let now = 1_000;
  const open = async (store: KeyStore, byte = 7) =>
    openSigningKeys({ store, seal: await sealWith(secret(byte)), makeSigner: nodeSigner, now: () => now });

  const stores: [string, () => Promise<Store>][] = [
    ["in memory", async () => memoryStore()],
    [
      "on Postgres",
      async () => {
        const database = await testDatabase();
        const { store } = await openPostgresStore({ url: database.url });
        onTestFinished(() => store.close().then(() => database.close()));
        return store;
      },
    ],
  ];
  it.each(stores)(
    "%s are made once and kept sealed; replicas that start or rotate together agree",
    async (_where, make) => {
      const store = await make();
      const replicas = await Promise.all([open(store), open(store), open(store)]);
      expect(new Set(replicas.map((keys) => keys.signer().kid)).size).toBe(1);
      const stored = await store.listSigningKeys();
      expect(stored).toHaveLength(1);
      expect(JSON.stringify(stored)).not.toContain('"d"');
      expect((await open(store)).signer().kid).toBe(replicas[0]?.signer().kid);
      await Promise.all(replicas.map((keys) => keys.rotate(false).catch(() => {})));
      const states = (await store.listSigningKeys()).map((key) => key.state);
      expect(states.filter((state) => state === "current")).toHaveLength(1);
      expect(states.filter((state) => state === "next").length).toBeLessThanOrEqual(1);
    },
  );

  it("do not open with another secret", async () => {
    const store = memoryStore();
    await open(store, 7);
    await expect(open(store, 8)).rejects.toMatchObject({ code: "SETTING_INVALID" });
  });

  it("rotate in steps: publish the next, sign with it, withdraw the one before", async () => {
    const store = memoryStore();
    const [here, there] = [await open(store), await open(store)];
    const first = here.signer().kid;
    const states = () => Object.fromEntries(here.published().map((key) => [key.kid, key.state]));

    await here.rotate(true);
    expect(here.signer().kid).toBe(first);
    const second = here.published().find((key) => key.state === "next")?.kid as string;
    expect(states()).toEqual({ [first]: "current", [second]: "next" });

    await expect(here.rotate(false)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(here.signer().kid).toBe(first);
    now += 10 * 60_000;
    await here.rotate(false);
    expect(here.signer().kid).toBe(second);
    expect(states()).toEqual({ [first]: "retired", [second]: "current" });
    expect(there.signer().kid).toBe(first);
    await there.refresh();
    expect(there.signer().kid).toBe(second);

    await here.rotate(true);
    await here.rotate(true);
    expect(Object.values(states()).sort()).toEqual(["current", "retired"]);
    expect(states()).not.toHaveProperty(first);
  });

  it("survive a crash between retiring and promoting", async () => {
    const store = memoryStore();
    const keys = await open(store);
    await keys.rotate(false);
    await store.setSigningKeyState(keys.signer().kid, "retired");
    const next = (await store.listSigningKeys()).find((key: StoredSigningKey) => key.state === "next")?.kid;
    const reopened = await open(store);
    expect(reopened.signer().kid).toBe(next);
  });

  it("given by the operator are published without their private half and do not rotate", async () => {
    const { privateJwk } = await newKey("ES256");
    const keys = await pinnedSigningKey(privateJwk, nodeSigner);
    expect(keys.published()).toHaveLength(1);
    expect(keys.published()[0]?.jwk).not.toHaveProperty("d");
    expect(keys.published()[0]?.jwk).toMatchObject({ alg: "ES256", use: "sig", kid: keys.signer().kid });
    await expect(keys.rotate(false)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(pinnedSigningKey({ kty: "oct", k: "AAAA" }, nodeSigner)).rejects.toMatchObject({
      code: "SETTING_INVALID",
    });
  });
});
