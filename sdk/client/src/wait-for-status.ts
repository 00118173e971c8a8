import type { Run, TerminalStatus } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import type { RunsApi } from "./client.js";

export interface WaitForStatusOptions {
  /** Milliseconds to wait in all; without it, until the run ends. */
  readonly timeoutMs?: number | undefined;
  /** Gives the wait up; the run goes on. */
  readonly signal?: AbortSignal | undefined;
}

export interface WaitSuccess {
  readonly success: true;
  readonly state: Run;
}

export interface WaitFailure {
  readonly success: false;
  /** `run_terminated`: it ended in another status. The other two: the run may still go on. */
  readonly cause: "run_terminated" | "timeout" | "aborted";
}

/** Polls until the run has ended. The server ends each poll; a new one follows at once. */
export async function waitForStatus(
  wait: RunsApi["wait"],
  runId: string,
  status: TerminalStatus,
  { timeoutMs, signal }: WaitForStatusOptions,
): Promise<WaitSuccess | WaitFailure> {
  const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  // The first poll always goes out: a timeout of 0 asks how things stand.
  for (let first = true; ; first = false) {
    const leftMs = deadline === undefined ? LIMITS.waitMs : Math.ceil(deadline - performance.now());
    if (leftMs <= 0 && !first) return { success: false, cause: "timeout" };
    const poll = { status, timeoutMs: Math.min(Math.max(leftMs, 0), LIMITS.waitMs) };
    const limit = deadline === undefined ? undefined : AbortSignal.timeout(Math.max(leftMs, 0) + ANSWER_GRACE_MS);
    try {
      const { ended, run } = await wait(runId, poll, { signal: anyOf(signal, limit) });
      if (ended) return run.status === status ? { success: true, state: run } : { success: false, cause: "run_terminated" };
    } catch (error) {
      if (signal?.aborted) return { success: false, cause: "aborted" };
      if (limit?.aborted && error instanceof AikiError && error.code === "ABORTED") return { success: false, cause: "timeout" };
      throw error;
    }
  }
}

/** Milliseconds that an answer may take to arrive after the server's own time limit has passed. */
const ANSWER_GRACE_MS = 1_000;

function anyOf(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}
