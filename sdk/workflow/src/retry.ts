import type { RetryPolicy } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import { isNonRetryable, retryAfterMs } from "./errors.js";

export type { RetryPolicy };

const FIELDS: Readonly<Record<RetryPolicy["type"], readonly string[]>> = {
  never: [],
  fixed: ["maxAttempts", "delayMs"],
  exponential: ["maxAttempts", "baseDelayMs", "factor", "maxDelayMs"],
  jittered: ["maxAttempts", "baseDelayMs", "factor", "maxDelayMs", "jitterFactor"],
};
const REQUIRED = new Set(["maxAttempts", "delayMs", "baseDelayMs"]);
/** Smallest and largest value, and whether it must be whole. As the protocol's `retryPolicySchema` has them. */
const RANGES: Readonly<Record<string, readonly [number, number, boolean]>> = {
  maxAttempts: [1, LIMITS.retryAttempts, true],
  delayMs: [0, LIMITS.durationMs, true],
  baseDelayMs: [0, LIMITS.durationMs, true],
  maxDelayMs: [0, LIMITS.durationMs, true],
  factor: [1, 1_000, false],
  jitterFactor: [0, 1, false],
};

/** Throws `INVALID_ARGUMENT` that names the field which is unknown, missing or out of range. */
export function checkRetryPolicy(policy: RetryPolicy, what: string): void {
  const fields = Object.hasOwn(FIELDS, policy.type) ? FIELDS[policy.type] : undefined;
  if (!fields) refuse(what, `type must be one of ${Object.keys(FIELDS).join(", ")}`);
  const given = new Map<string, unknown>(Object.entries(policy));
  given.delete("type");
  for (const name of given.keys()) {
    if (!fields.includes(name)) refuse(what, `${name} is not a field of type ${policy.type}`);
  }
  for (const name of fields) {
    const value = given.get(name);
    if (value === undefined && !REQUIRED.has(name)) continue;
    const [least, most, whole] = RANGES[name] ?? [0, 0, true];
    if (typeof value !== "number" || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      refuse(what, `${name} must be a ${whole ? "whole " : ""}number from ${least} to ${most}, not ${String(value)}`);
    }
  }
}

function refuse(what: string, reason: string): never {
  throw new AikiError("INVALID_ARGUMENT", `${what} has a wrong retry policy: ${reason}.`);
}

/**
 * Milliseconds to wait after failed attempt number `attempt`, or undefined when there is no next attempt.
 * `random`: a number from 0 to below 1; used by `jittered` only.
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: () => number): number | undefined {
  if (policy.type === "never" || attempt >= policy.maxAttempts) return undefined;
  if (policy.type === "fixed") return policy.delayMs;
  const grown = policy.baseDelayMs * (policy.factor ?? 2) ** (attempt - 1);
  const capped = Math.min(grown, policy.maxDelayMs ?? LIMITS.durationMs, LIMITS.durationMs);
  if (policy.type === "exponential") return Math.round(capped);
  return Math.round(capped * (1 - (policy.jitterFactor ?? 0.5) * random()));
}

/** The same for what the attempt threw: some errors know better than the policy. */
export function delayAfterMs(
  policy: RetryPolicy,
  attempt: number,
  thrown: unknown,
  random: () => number,
): number | undefined {
  if (isNonRetryable(thrown)) return undefined;
  const asked = retryAfterMs(thrown);
  if (asked === undefined) return retryDelayMs(policy, attempt, random);
  const most = policy.type === "never" ? LIMITS.retryAttempts : policy.maxAttempts;
  return attempt < most ? asked : undefined;
}
