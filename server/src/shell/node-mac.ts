/** `Mac` with node:crypto. */
import { createHmac, createSecretKey, hkdfSync } from "node:crypto";
import type { Mac } from "../dispatch/checkpoint-token.js";

const KEY_BYTES = 32;

/** `secret`: the orchestrator's. Each use of it has a key of its own (RFC 5869), told apart by its `purpose`. */
export function nodeMac(secret: Uint8Array, purpose: string): Mac {
  // A key object: from bytes Node makes one for each call, which takes eight times as long as the hash.
  const key = createSecretKey(Buffer.from(hkdfSync("sha256", secret, "", purpose, KEY_BYTES)));
  return (text) => createHmac("sha256", key).update(text, "utf8").digest("base64url");
}
