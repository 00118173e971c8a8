/** What the endpoint tells its operator, never a payload, a token or a key. */
import type { Logger } from "@aikirun/workflow";

/** The same trouble is told at most once in this time: whoever sends bad requests must not fill the log. */
const REPEAT_MS = 1_000;

export interface TroubleLog {
  warn(code: string, message: string): void;
  error(code: string, message: string, cause?: unknown): void;
  /** Tells it a single time. */
  once(code: string, message: string): void;
}

export function troubleLog(logger: Logger): TroubleLog {
  const toldAt = new Map<string, number>();
  const mayTell = (code: string, againMs: number) => {
    const now = Date.now();
    if (now - (toldAt.get(code) ?? Number.NEGATIVE_INFINITY) < againMs) return false;
    toldAt.set(code, now);
    return true;
  };
  return {
    warn(code, message) {
      if (mayTell(code, REPEAT_MS)) logger.warn({ code }, message);
    },
    error(code, message, cause) {
      if (mayTell(code, REPEAT_MS)) logger.error({ code, ...(cause !== undefined && { err: cause }) }, message);
    },
    once(code, message) {
      if (mayTell(code, Number.POSITIVE_INFINITY)) logger.error({ code }, message);
    },
  };
}
