/**
 * Checkpoints of one invocation: posts what was done to the orchestrator and takes its news back. Whatever goes wrong
 * ends the checkpoints and never the invocation, which then answers as if there had been none.
 */
import { type CheckpointAnswer, checkpointAnswerSchema, type ExecuteRequest, LIMITS } from "@aikirun/protocol";
import type { Checkpoint } from "@aikirun/workflow/replay";
import type { TroubleLog } from "./logger.js";
import type { Post } from "./post.js";
import type { Unreachable } from "./unreachable.js";

export interface Checkpoints {
  readonly checkpoint: Checkpoint;
  /** The last sequence that was acknowledged: the answer builds on it. */
  seq(): number;
}

export interface CheckpointsOptions {
  readonly post: Post;
  readonly log: TroubleLog;
  /** Lives as long as the endpoint. */
  readonly unreachable: Unreachable;
  /** Milliseconds that the invocation has left. */
  readonly leftMs: () => number;
  readonly gone: AbortSignal | undefined;
}

/** How long an acknowledgement may take; also after the work's time is up, but then the answer needs some of it. */
const ACK_MS = 10_000;
const ACK_AFTER_TIME_MS = 1_000;
/** A failure that takes no longer than this costs nobody much. */
const AT_ONCE_MS = 500;
/** Of what speaks the API: not this time, which says nothing of the next. */
const UNAVAILING: ReadonlySet<number> = new Set([400, 413, 429]);

/** Undefined when the push offers none, or when its orchestrator could not be reached lately. */
export function checkpointsOf(push: ExecuteRequest, options: CheckpointsOptions): Checkpoints | undefined {
  const { checkpoint: access, run, pushId, fence } = push;
  const { post, log, unreachable, leftMs, gone } = options;
  if (!access || unreachable.has(access.url)) return undefined;
  const headers = { "content-type": "application/json", authorization: `Bearer ${access.token}` };
  let seq = fence.seq;
  return {
    seq: () => seq,
    async checkpoint(commands) {
      const body = JSON.stringify({ runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen, seq, commands });
      const timeoutMs = Math.min(ACK_MS, Math.max(0, leftMs()) + ACK_AFTER_TIME_MS);
      const startedAt = Date.now();
      let answered = false;
      try {
        const answer = await post({
          url: access.url,
          headers,
          body,
          timeoutMs,
          maxBytes: LIMITS.bodyBytes,
          signal: gone,
        });
        answered = true;
        if (answer.status === 409) return { type: "unwanted" };
        // It is there, and just now too busy or without its database, or it does not take these commands.
        if (UNAVAILING.has(answer.status) || answer.status >= 500) return { type: "failed" };
        if (answer.status !== 200) throw new Error(`it answered ${answer.status}: ${answer.body.slice(0, 300)}`);
        const acknowledged: CheckpointAnswer = checkpointAnswerSchema.parse(JSON.parse(answer.body));
        if (acknowledged.stop === "abandon") return { type: "unwanted" };
        seq = acknowledged.seq;
        unreachable.reached(access.url);
        return { type: "committed", records: acknowledged.records, answer: acknowledged.stop === "answer" };
      } catch (error) {
        if (gone?.aborted) return { type: "unwanted" };
        unreachable.failed(access.url, !answered && Date.now() - startedAt < AT_ONCE_MS);
        const reason = error instanceof Error ? error.message : String(error);
        log.warn(
          "ORCHESTRATOR_UNREACHABLE",
          `A checkpoint to ${access.url} failed (${reason}). Nothing is lost: each step is answered and pushed again. ` +
            "AIKI_PUBLIC_URL of the orchestrator must be an address that this app can reach.",
        );
        return { type: "failed" };
      }
    },
  };
}
