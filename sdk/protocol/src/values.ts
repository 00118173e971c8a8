/** Schemas of the small values that every message is made of. */
import * as z from "zod";
import type { JsonValue } from "./json.js";
import { LIMITS } from "./limits.js";

/** A decoded JSON value. Depth and bytes are bounded on the text, before parsing; see `jsonTextDepth`. */
export const jsonSchema = z.custom<JsonValue>((value) => value !== undefined, "expected a JSON value");

/**
 * Whether a text can be a name, a reference or a key everywhere: no control characters (Postgres's `text` refuses
 * U+0000), no lone surrogates (UTF-8 has none, so two of them would become the same).
 */
export function isPlainText(text: string): boolean {
  return !/[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(text);
}
const PLAIN_TEXT = "must not contain control characters or lone surrogates";

/** Names of workflows, tasks, events, sleeps: any printable text. */
export const nameSchema = z.string().min(1).max(LIMITS.nameChars).refine(isPlainText, PLAIN_TEXT);
export const versionSchema = z
  .string()
  .min(1)
  .max(LIMITS.versionChars)
  .regex(/^[^\s:@#/]+$/, "must not contain white space or any of : @ # /")
  .refine(isPlainText, PLAIN_TEXT);
export const referenceIdSchema = z.string().min(1).max(LIMITS.referenceChars).refine(isPlainText, PLAIN_TEXT);
export const namespaceSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and hyphens, at most 63");

/** Ids made by us: a prefix, an underscore, 26 characters of Crockford base 32, sortable by time. */
function idSchema(prefix: string) {
  return z.string().regex(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`), `must be ${prefix}_ and 26 characters`);
}
export const runIdSchema = idSchema("run");
export const pushIdSchema = idSchema("push");
export const endpointIdSchema = idSchema("ep");
export const messageIdSchema = idSchema("msg");
export const keyIdSchema = idSchema("key");
export const scheduleIdSchema = idSchema("sch");
export const workerIdSchema = idSchema("worker");

/** Milliseconds, whole, not negative, at most ten years. */
export const durationMsSchema = z.number().int().min(0).max(LIMITS.durationMs);
/** How long a run may take: at least a millisecond. */
export const timeLimitMsSchema = durationMsSchema.min(1);
/** Milliseconds since the Unix epoch, by the database's clock. */
export const instantSchema = z.number().int().min(0);

export const retryPolicySchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("never") }),
  z.strictObject({
    type: z.literal("fixed"),
    maxAttempts: z.number().int().min(1).max(LIMITS.retryAttempts),
    delayMs: durationMsSchema,
  }),
  z.strictObject({
    type: z.literal("exponential"),
    maxAttempts: z.number().int().min(1).max(LIMITS.retryAttempts),
    baseDelayMs: durationMsSchema,
    factor: z.number().min(1).max(LIMITS.retryFactor).optional(),
    maxDelayMs: durationMsSchema.optional(),
  }),
  z.strictObject({
    type: z.literal("jittered"),
    maxAttempts: z.number().int().min(1).max(LIMITS.retryAttempts),
    baseDelayMs: durationMsSchema,
    factor: z.number().min(1).max(LIMITS.retryFactor).optional(),
    maxDelayMs: durationMsSchema.optional(),
    jitterFactor: z.number().min(0).max(1).optional(),
  }),
]);
export type RetryPolicy = z.infer<typeof retryPolicySchema>;

/** An error as it is recorded and travels: what a person needs to find the line that threw. */
export interface WireError {
  name: string;
  message: string;
  code?: string | undefined;
  stack?: string | undefined;
  cause?: WireError | undefined;
}
export const wireErrorSchema: z.ZodType<WireError> = z.lazy(() =>
  z.strictObject({
    name: z.string().max(LIMITS.nameChars),
    message: z.string().max(LIMITS.errorMessageChars),
    code: z.string().max(LIMITS.nameChars).optional(),
    stack: z.string().max(LIMITS.errorStackChars).optional(),
    cause: wireErrorSchema.optional(),
  }),
);

export const terminalStatusSchema = z.enum(["completed", "failed", "cancelled"]);
export type TerminalStatus = z.infer<typeof terminalStatusSchema>;
export const runStatusSchema = z.enum([
  "scheduled",
  "queued",
  "running",
  "suspended",
  "paused",
  "stalled",
  "completed",
  "failed",
  "cancelled",
]);
export type RunStatus = z.infer<typeof runStatusSchema>;

/** Generation and sequence: who may write, and on top of what. `epoch` is raised after a database restore. */
export const fenceSchema = z.strictObject({
  epoch: z.number().int().min(0),
  gen: z.number().int().min(0),
  seq: z.number().int().min(0),
});
export type Fence = z.infer<typeof fenceSchema>;
