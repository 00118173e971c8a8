import { newId } from "@aikirun/protocol/canonical";
import { expect, it } from "vitest";
import type { StoredKey, StoredSigningKey } from "../../../src/store/port.js";
import { type Arena, databaseNow, NS } from "./arena.js";

function key(rest: Partial<StoredKey> = {}): StoredKey {
  const id = newId("key");
  return {
    id,
    ns: NS,
    name: undefined,
    scope: "write",
    hash: `hash of ${id}`,
    createdAt: 1_000,
    expiresAt: undefined,
    revokedAt: undefined,
    ...rest,
  };
}

function signingKey(kid: string, state: StoredSigningKey["state"], createdAt: number): StoredSigningKey {
  return { kid, alg: "Ed25519", publicJwk: { kty: "OKP", x: kid }, sealedPrivate: "sealed", state, createdAt };
}

export function keepingKeysTests(given: () => Arena): void {
  it("finds a key by its hash, in a namespace that may be new", async () => {
    const [store] = given().stores;
    const [mine, theirs] = [key({ name: "ci", expiresAt: 9_000_000_000_000 }), key({ ns: "fresh", scope: "admin" })];
    await store.createKey(mine);
    await store.createKey(theirs);
    expect(await store.findKey(mine.hash)).toEqual(mine);
    expect(await store.findKey(theirs.hash)).toEqual(theirs);
    expect(await store.findKey("no hash")).toBeUndefined();
    expect(await store.listKeys(NS)).toEqual([mine]);
    expect(await store.listKeys("fresh")).toEqual([theirs]);
    expect(await store.listKeys(undefined)).toHaveLength(2);
  });

  it("revokes a key once, for its own namespace", async () => {
    const [store] = given().stores;
    const before = databaseNow(store);
    const [one, two] = [key(), key()];
    await store.createKey(one);
    await store.createKey(two);
    expect(await store.revokeKey("elsewhere", one.id)).toBe(false);
    expect(await store.revokeKey(NS, one.id)).toBe(true);
    expect(await store.revokeKey(NS, one.id)).toBe(false);
    expect(await store.revokeKey(undefined, two.id)).toBe(true);
    expect((await store.findKey(one.hash))?.revokedAt).toBeGreaterThanOrEqual(before);
  });

  it("knows whether any key is usable", async () => {
    const [store] = given().stores;
    expect(await store.hasKeys()).toBe(false);
    await store.createKey(key({ expiresAt: 2_000 }));
    await store.createKey(key({ revokedAt: 2_000 }));
    expect(await store.hasKeys()).toBe(false);
    const usable = key({ expiresAt: store.now().latest + 60_000 });
    await store.createKey(usable);
    expect(await store.hasKeys()).toBe(true);
    await store.revokeKey(NS, usable.id);
    expect(await store.hasKeys()).toBe(false);
  });

  it("keeps the first of eight signing keys", async () => {
    const { stores } = given();
    const answers = await Promise.all(
      stores.map((store, i) => store.addSigningKey(signingKey(`kid-${i}`, "current", i))),
    );
    const [stored] = await stores[0].listSigningKeys();
    for (const answer of answers) expect(answer).toEqual([stored]);
  });

  it("rotates signing keys", async () => {
    const [store] = given().stores;
    const first = signingKey("first", "current", 1);
    const second = signingKey("second", "next", 2);
    await store.addSigningKey(first);
    expect(await store.addSigningKey(second)).toEqual([first, second]);
    await store.setSigningKeyState("first", "retired");
    await store.setSigningKeyState("second", "current");
    expect(await store.listSigningKeys()).toEqual([
      { ...first, state: "retired" },
      { ...second, state: "current" },
    ]);
    await store.removeSigningKey("first");
    expect(await store.listSigningKeys()).toEqual([{ ...second, state: "current" }]);
  });

  it("has an epoch that fences carry, and answers", async () => {
    const [store] = given().stores;
    expect(Number.isInteger(await store.epoch())).toBe(true);
    await store.ping();
  });
}
