/** Encrypts what must not lie in the database in clear: signing keys and secret headers. AES-256-GCM (NIST SP 800-38D). */
import { AikiError } from "@aikirun/protocol";
import { base64url } from "jose";

export interface Seal {
  /** `purpose` is authenticated: a text sealed for one thing does not open as another. */
  close(text: string, purpose: string): Promise<string>;
  /** Throws `SETTING_INVALID` when another secret sealed it or it was altered. */
  open(sealed: string, purpose: string): Promise<string>;
}

const VERSION = "s1.";
const IV_BYTES = 12;

/** `secret`: 32 random bytes. */
export async function sealWith(secret: Uint8Array<ArrayBuffer>): Promise<Seal> {
  const key = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt", "decrypt"]);
  const parameters = (iv: Uint8Array<ArrayBuffer>, purpose: string) => ({
    name: "AES-GCM",
    iv,
    additionalData: new TextEncoder().encode(purpose),
  });
  return {
    async close(text, purpose) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const encrypted = await crypto.subtle.encrypt(parameters(iv, purpose), key, new TextEncoder().encode(text));
      return VERSION + base64url.encode(iv) + base64url.encode(new Uint8Array(encrypted));
    },
    async open(sealed, purpose) {
      try {
        const ivChars = (IV_BYTES * 4) / 3;
        const iv = base64url.decode(sealed.slice(VERSION.length, VERSION.length + ivChars));
        const encrypted = base64url.decode(sealed.slice(VERSION.length + ivChars));
        const text = await crypto.subtle.decrypt(
          parameters(new Uint8Array(iv), purpose),
          key,
          new Uint8Array(encrypted),
        );
        return new TextDecoder().decode(text);
      } catch {
        throw new AikiError(
          "SETTING_INVALID",
          "AIKI_SECRET: what the database holds was encrypted with another secret. Set the secret that this database was started with.",
        );
      }
    },
  };
}
