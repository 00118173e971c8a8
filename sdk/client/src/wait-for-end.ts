import type { WaitResult } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";

export interface WaitOptions {
  /** Milliseconds to wait in all; without it, until the run ends. */
  readonly timeoutMs?: number | undefined;
  /** Gives the wait up; the run goes on. */
  readonly signal?: AbortSignal | undefined;
}

/** One long poll: `GET /v1/runs/{id}/wait`. */
export type Poll = (timeoutMs: number, signal: AbortSignal | undefined) => Promise<WaitResult>;

/** Milliseconds that an answer may take to arrive after the server's own time limit has passed. */
const ANSWER_GRACE_MS = 1_000;

/** Polls until the run has ended or the time is over. The server ends each poll; the next one follows at once. */
export async function waitForEnd(poll: Poll, { timeoutMs, signal }: WaitOptions): Promise<WaitResult> {
  if (timeoutMs === undefined) {
    for (;;) {
      const result = await poll(LIMITS.waitMs, signal);
      if (result.ended) return result;
    }
  }
  const deadline = performance.now() + timeoutMs;
  let last: WaitResult | undefined;
  // The first poll always goes out: a timeout of 0 asks how things stand.
  for (let leftMs = timeoutMs; leftMs > 0 || !last; leftMs = Math.ceil(deadline - performance.now())) {
    const limit = AbortSignal.timeout(leftMs + ANSWER_GRACE_MS);
    try {
      last = await poll(Math.min(leftMs, LIMITS.waitMs), signal ? AbortSignal.any([signal, limit]) : limit);
      if (last.ended) return last;
    } catch (error) {
      const late = limit.aborted && !signal?.aborted && error instanceof AikiError && error.code === "ABORTED";
      if (!late) throw error;
      if (last) return last;
      throw new AikiError("ORCHESTRATOR_UNREACHABLE", `The orchestrator did not answer within ${timeoutMs} ms.`, {
        cause: error,
      });
    }
  }
  return last;
}
