/**
 * The keys that sign pushes. The first is made at the first start; all replicas use the one that was stored first.
 * Rotation has three steps, so that no verifier ever meets a key it has not seen: publish the next one, sign with it,
 * retire the old one.
 */
import { AikiError } from "@aikirun/protocol";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import type { KeyStore, StoredSigningKey } from "../store/port.js";
import type { Seal } from "./seal.js";
import { algorithmOf, type MakeSigner, type Signer, type SigningAlgorithm } from "./sign.js";

export interface PublishedKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: StoredSigningKey["state"];
  readonly createdAt: number;
  readonly jwk: JWK;
}

export interface SigningKeys {
  /** The key that signs now. */
  signer(): Signer;
  /** What verifiers may meet: the next, the current and the keys that signed until lately. */
  published(): readonly PublishedKey[];
  /** Reads what other replicas did. */
  refresh(): Promise<void>;
  /**
   * Publishes a next key; when one is published long enough, or with `force`, signs with it and retires the one before.
   * Throws `INVALID_REQUEST` when it is too early for that.
   */
  rotate(force: boolean): Promise<readonly PublishedKey[]>;
}

/** Endpoints keep the keys that they fetched for up to five minutes. Pinned keys take as long as a deployment. */
const PUBLISHED_FOR_MS = 10 * 60_000;

type SigningKeyStore = Pick<KeyStore, "listSigningKeys" | "addSigningKey" | "setSigningKeyState" | "removeSigningKey">;

/** What was read last. Several readers of one process may share it: it is plain data. */
export class SigningKeyMemory {
  stored: readonly StoredSigningKey[] = [];
  signer: Signer | undefined;
  readAt = Number.NEGATIVE_INFINITY;
}

export interface SigningKeysOptions {
  readonly store: SigningKeyStore;
  readonly seal: Seal;
  readonly makeSigner: MakeSigner;
  readonly now: () => number;
  readonly memory?: SigningKeyMemory;
}

/** One key, given by the operator: nothing is stored and nothing rotates. */
export async function pinnedSigningKey(privateJwk: JWK, makeSigner: MakeSigner): Promise<SigningKeys> {
  const alg = algorithmOf(privateJwk);
  if (!alg || typeof privateJwk.d !== "string") {
    throw new AikiError("SETTING_INVALID", "AIKI_SIGNING_KEY is not a private JWK of an Ed25519 or P-256 key.");
  }
  const jwk = await publicHalf(privateJwk, alg);
  const kid = jwk.kid as string;
  const signer = await makeSigner(kid, privateJwk);
  const key: PublishedKey = { kid, alg, state: "current", createdAt: 0, jwk };
  return {
    signer: () => signer,
    published: () => [key],
    refresh: async () => {},
    rotate: async () => {
      throw new AikiError(
        "INVALID_REQUEST",
        "The signing key is given by AIKI_SIGNING_KEY and does not rotate here. Change the setting.",
      );
    },
  };
}

/** Asks the store unless `memory` holds what was read within `freshMs`. */
export async function openSigningKeys(options: SigningKeysOptions, freshMs = 0): Promise<SigningKeys> {
  const { memory = new SigningKeyMemory() } = options;
  const keys = new StoredSigningKeys(options, memory);
  if (options.now() - memory.readAt > freshMs) await keys.open();
  return keys;
}

class StoredSigningKeys implements SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #memory: SigningKeyMemory;

  constructor(options: SigningKeysOptions, memory: SigningKeyMemory) {
    this.#options = options;
    this.#memory = memory;
  }

  async open(): Promise<void> {
    const stored = await this.#options.store.listSigningKeys();
    if (stored.length > 0) return this.#adopt(stored);
    await this.#adopt(await this.#options.store.addSigningKey(await this.#make("current")));
  }

  signer(): Signer {
    if (!this.#memory.signer) throw new Error("The signing keys are not open.");
    return this.#memory.signer;
  }

  published(): readonly PublishedKey[] {
    return this.#memory.stored.map(({ kid, alg, state, createdAt, publicJwk }) => ({
      kid,
      alg,
      state,
      createdAt,
      jwk: publicJwk as JWK,
    }));
  }

  async refresh(): Promise<void> {
    await this.#adopt(await this.#options.store.listSigningKeys());
  }

  async rotate(force: boolean): Promise<readonly PublishedKey[]> {
    const { store } = this.#options;
    await this.refresh();
    const next = this.#memory.stored.find((key) => key.state === "next");
    if (!next) {
      await this.#adopt(await store.addSigningKey(await this.#make("next")));
      return this.published();
    }
    const ageMs = this.#options.now() - next.createdAt;
    if (ageMs < PUBLISHED_FOR_MS && !force) throw tooEarly(ageMs);
    await this.#withdrawOld();
    // A crash between these two leaves no current key; whoever reads that next finishes the step.
    for (const key of this.#memory.stored)
      if (key.state === "current") await store.setSigningKeyState(key.kid, "retired");
    await store.setSigningKeyState(next.kid, "current");
    await this.refresh();
    return this.published();
  }

  /** What was retired before the last rotation: no token of those keys lives any more. */
  async #withdrawOld(): Promise<void> {
    for (const key of this.#memory.stored) {
      if (key.state === "retired") await this.#options.store.removeSigningKey(key.kid);
    }
  }

  async #adopt(stored: readonly StoredSigningKey[]): Promise<void> {
    let current = stored.find((key) => key.state === "current");
    if (!current) {
      current = stored.find((key) => key.state === "next");
      if (!current) throw new Error("The database holds no key that could sign.");
      await this.#options.store.setSigningKeyState(current.kid, "current");
    }
    if (this.#memory.signer?.kid !== current.kid) {
      const privateJwk = await this.#options.seal.open(current.sealedPrivate, purpose(current.kid));
      this.#memory.signer = await this.#options.makeSigner(current.kid, JSON.parse(privateJwk) as JWK);
    }
    this.#memory.stored = stored;
    this.#memory.readAt = this.#options.now();
  }

  async #make(state: StoredSigningKey["state"]): Promise<StoredSigningKey> {
    const { privateKey } = await generateKeyPair("Ed25519", { extractable: true });
    const privateJwk = await exportJWK(privateKey);
    const publicJwk = await publicHalf(privateJwk, "Ed25519");
    const kid = publicJwk.kid as string;
    return {
      kid,
      alg: "Ed25519",
      publicJwk: { ...publicJwk },
      sealedPrivate: await this.#options.seal.close(JSON.stringify(privateJwk), purpose(kid)),
      state,
      createdAt: this.#options.now(),
    };
  }
}

function tooEarly(ageMs: number): AikiError {
  const minutes = Math.ceil((PUBLISHED_FOR_MS - ageMs) / 60_000);
  return new AikiError(
    "INVALID_REQUEST",
    `The next key was published a moment ago, and endpoints may not have seen it yet. Rotate again in ${minutes} min, or with force when the current key must go at once.`,
  );
}

function purpose(kid: string): string {
  return `signing-key:${kid}`;
}

/** The public members (RFC 8037, RFC 7518), named by their RFC 7638 thumbprint. */
async function publicHalf(jwk: JWK, alg: SigningAlgorithm): Promise<JWK> {
  const members: JWK =
    alg === "Ed25519"
      ? { kty: "OKP", crv: "Ed25519", x: jwk.x as string }
      : { kty: "EC", crv: "P-256", x: jwk.x as string, y: jwk.y as string };
  return { ...members, alg, use: "sig", kid: await calculateJwkThumbprint(members) };
}
