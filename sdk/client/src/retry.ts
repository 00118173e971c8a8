/** When a request that did not get through is sent again. Every request of this client may be: ids are made here. */
export interface RetryBounds {
  /** Times that it is sent in all. */
  readonly maxAttempts: number;
}

/** About 3 s in all: someone may be waiting for a page. */
export const REQUEST_RETRY: RetryBounds = { maxAttempts: 5 };
/** About 90 s in all: a wait outlives a restart of the orchestrator. */
export const WAIT_RETRY: RetryBounds = { maxAttempts: 22 };

export const BASE_DELAY_MS = 250;
export const MAX_DELAY_MS = 5_000;
/** A server that asks for more is not worth blocking the caller for. */
export const MAX_RETRY_AFTER_MS = 30_000;

/** Answers that say: not now. 502 and 504 come from a proxy whose server is away. */
export function isRetryable(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

/**
 * Milliseconds to wait after attempt `attempt` (from 1): doubled each time, capped, then lowered by up to half at
 * random, so that callers that failed together do not return together. `Retry-After` raises it, never lowers it.
 */
export function retryDelayMs(attempt: number, retryAfterMs: number | undefined, random: number): number {
  const exponential = Math.min(BASE_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
  return Math.max(Math.round(exponential * (1 - random / 2)), retryAfterMs ?? 0);
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. Undefined when absent or unreadable. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
