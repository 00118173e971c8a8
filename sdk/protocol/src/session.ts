/**
 * `/v1/session`: a browser signs in with an API key and is known by a cookie afterwards. A request that is not a GET and
 * brings the cookie says `SESSION_HEADER: 1`, which a page of another site cannot.
 */
import * as z from "zod";
import { LIMITS } from "./limits.js";
import { instantSchema } from "./values.js";

export const SESSION_HEADER = "aiki-session";

export const signInBodySchema = z.strictObject({ apiKey: z.string().min(1).max(LIMITS.apiKeyChars) });
export type SignInBody = z.infer<typeof signInBodySchema>;

export const sessionSchema = z.strictObject({
  namespace: z.string(),
  scope: z.enum(["read", "write", "admin"]),
  /** How the caller is known: by the cookie, by a key of its own, or not at all, because `aiki dev` asks nobody. */
  by: z.enum(["cookie", "key", "nothing"]),
  /** Of the cookie. */
  expiresAt: instantSchema.optional(),
  /** Of the orchestrator. */
  version: z.string(),
});
export type Session = z.infer<typeof sessionSchema>;
