/** What a worker brings, in the words of deliveries: the same as if an endpoint had answered it. */
import type { HeldPush, WorkAnswerBody } from "@aikirun/protocol";
import type { DeliveryOutcome } from "./delivery.js";

export function workerOutcome(body: Exclude<WorkAnswerBody, { type: "release" }>): {
  readonly push: HeldPush;
  readonly outcome: DeliveryOutcome;
} {
  if (body.type === "answer") {
    const { runId, pushId, epoch, gen } = body.answer;
    return { push: { runId, pushId, epoch, gen }, outcome: { type: "answer", answer: body.answer } };
  }
  return { push: body.push, outcome: failure(body.error) };
}

function failure({ code, message, divergence }: Extract<WorkAnswerBody, { type: "error" }>["error"]): DeliveryOutcome {
  if (code === "HISTORY_NEEDED") return { type: "history_needed" };
  if (code === "NON_DETERMINISM" && divergence) return { type: "diverged", divergence, message };
  if (code === "WORKFLOW_NOT_SERVED") return { type: "not_served", message };
  // Nothing was executed.
  if (code === "ORCHESTRATOR_UNREACHABLE" || code === "CONTEXT_FAILED")
    return { type: "busy", retryAfterMs: 0, message: `A worker answered ${code}: ${message}` };
  return { type: "failed", code: "ENDPOINT_ERROR", message: `A worker failed with ${code}: ${message}`, reach: "lost" };
}
