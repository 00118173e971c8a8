import { AikiError, LIMITS } from "@aikirun/protocol/canonical";

/** A length of time: milliseconds, or an object whose members add up. From 0 to ten years. */
export type Duration =
  | number
  | {
      readonly days?: number;
      readonly hours?: number;
      readonly minutes?: number;
      readonly seconds?: number;
      readonly milliseconds?: number;
    };

const UNIT_MS: Readonly<Record<string, number>> = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
};

/**
 * Whole milliseconds of a duration, rounded up, so that nothing is early. Throws `INVALID_ARGUMENT` for an unknown
 * unit, no unit, a negative or non-finite number, and `LIMIT_EXCEEDED` beyond `LIMITS.durationMs`.
 */
export function durationMs(duration: Duration, what: string): number {
  const total = Math.ceil(typeof duration === "number" ? amount(duration, what) : sum(duration, what));
  if (total > LIMITS.durationMs) {
    throw new AikiError("LIMIT_EXCEEDED", `${what} is ${total} ms long; at most ten years (${LIMITS.durationMs} ms).`);
  }
  return total;
}

/** Whole milliseconds that a run may take. Throws as `durationMs`, and `INVALID_ARGUMENT` for none at all. */
export function timeLimitMs(duration: Duration, what: string): number {
  const limitMs = durationMs(duration, what);
  if (limitMs === 0) throw new AikiError("INVALID_ARGUMENT", `${what} is 0 ms; expected at least 1 ms.`);
  return limitMs;
}

function sum(duration: Exclude<Duration, number>, what: string): number {
  const members = typeof duration === "object" && duration !== null ? Object.entries(duration) : [];
  if (members.length === 0) {
    throw new AikiError(
      "INVALID_ARGUMENT",
      `${what} needs milliseconds or at least one of ${Object.keys(UNIT_MS).join(", ")}.`,
    );
  }
  let total = 0;
  for (const [unit, value] of members) {
    const unitMs = Object.hasOwn(UNIT_MS, unit) ? UNIT_MS[unit] : undefined;
    if (unitMs === undefined) {
      throw new AikiError(
        "INVALID_ARGUMENT",
        `${what} has the unknown unit "${unit}"; known are ${Object.keys(UNIT_MS).join(", ")}.`,
      );
    }
    if (value !== undefined) total += amount(value, `${what}, ${unit},`) * unitMs;
  }
  return total;
}

function amount(value: number, what: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw new AikiError("INVALID_ARGUMENT", `${what} is ${String(value)}; expected a number that is not negative.`);
  }
  return value;
}
