/**
 * Checkpoints of one invocation: sends what was done to the orchestrator and takes its news back. Whatever goes wrong
 * ends the checkpoints and never the invocation, which then answers as if there had been none.
 */
import type { ExecuteRequest } from "@aikirun/protocol";
import { HttpFailure } from "@aikirun/protocol/http";
import type { Checkpoint, Checkpointed } from "@aikirun/workflow/replay";
import { ACK_MS, type CheckpointLine } from "./checkpoint-line.js";
import type { TroubleLog } from "./logger.js";
import type { Unreachable } from "./unreachable.js";

export interface Checkpoints {
  readonly checkpoint: Checkpoint;
  /** The last sequence that was acknowledged: the answer builds on it. */
  seq(): number;
}

export interface CheckpointsOptions {
  readonly line: CheckpointLine;
  readonly log: TroubleLog;
  /** Lives as long as the endpoint. */
  readonly unreachable: Unreachable;
  /** Milliseconds that the invocation has left. */
  readonly leftMs: () => number;
  readonly gone: AbortSignal | undefined;
}

/** How long an acknowledgement may take when the work's time is up: the answer needs the rest of it. */
const ACK_AFTER_TIME_MS = 1_000;
/** A failure that takes no longer than this costs nobody much. */
const AT_ONCE_MS = 500;
/** Of what speaks the API: not this time, which says nothing of the next. */
const UNAVAILING: ReadonlySet<number> = new Set([400, 413, 429]);

/** Undefined when the push offers none, or when its orchestrator could not be reached lately. */
export function checkpointsOf(push: ExecuteRequest, options: CheckpointsOptions): Checkpoints | undefined {
  const { checkpoint: access, run, pushId, fence } = push;
  const { line, unreachable, leftMs, gone } = options;
  if (!access || unreachable.has(access.url)) return undefined;
  let seq = fence.seq;
  const send = async (body: string): Promise<Checkpointed> => {
    const { status, ...outcome } = await line.send(access, body);
    if (status === 409) return { type: "unwanted" };
    // It is there, and just now too busy or without its database, or it does not take these commands.
    if (UNAVAILING.has(status) || status >= 500) return { type: "failed" };
    if (!("answer" in outcome)) throw new Error(`it answered ${status}: ${outcome.error}`);
    unreachable.reached(access.url);
    const { answer } = outcome;
    if (answer.stop === "abandon") return { type: "unwanted" };
    seq = answer.seq;
    return { type: "committed", records: answer.records, answer: answer.stop === "answer" };
  };
  return {
    seq: () => seq,
    async checkpoint(commands) {
      const body = JSON.stringify({ runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen, seq, commands });
      const timeoutMs = Math.min(ACK_MS, Math.max(0, leftMs()) + ACK_AFTER_TIME_MS);
      const startedAt = Date.now();
      try {
        return await within(timeoutMs, gone, send(body));
      } catch (error) {
        unreachable.failed(access.url, error instanceof HttpFailure && Date.now() - startedAt < AT_ONCE_MS);
        tellUnreachable(options.log, access.url, error);
        return { type: "failed" };
      }
    },
  };
}

/** Rejects for a checkpoint that takes longer. One that nobody waits for any more is not wanted. */
function within(ms: number, gone: AbortSignal | undefined, sent: Promise<Checkpointed>): Promise<Checkpointed> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it did not answer within ${ms} ms`)), ms);
    const leave = () => resolve({ type: "unwanted" });
    gone?.addEventListener("abort", leave);
    if (gone?.aborted) leave();
    const over = () => {
      clearTimeout(timer);
      gone?.removeEventListener("abort", leave);
    };
    sent.finally(over).then(resolve, reject);
  });
}

export function tellUnreachable(log: TroubleLog, url: string, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  log.warn(
    "ORCHESTRATOR_UNREACHABLE",
    `A checkpoint to ${url} failed (${reason}). Nothing is lost: each step is answered and pushed again. ` +
      "AIKI_PUBLIC_URL of the orchestrator must be an address that this app can reach.",
  );
}
