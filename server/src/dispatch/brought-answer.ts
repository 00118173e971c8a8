/** What a worker, or an endpoint later, brings, in the words of deliveries: the same as if a push had been answered with it. */
import type { CallbackBody, HeldPush } from "@aikirun/protocol";
import type { DeliveryOutcome } from "./delivery.js";

export function broughtOutcome(
  body: CallbackBody,
  by: "A worker" | "An endpoint",
): { readonly push: HeldPush; readonly outcome: DeliveryOutcome } {
  if (body.type === "answer") {
    const { runId, pushId, epoch, gen } = body.answer;
    return { push: { runId, pushId, epoch, gen }, outcome: { type: "answer", answer: body.answer } };
  }
  return { push: body.push, outcome: failure(body.error, by) };
}

function failure(
  { code, message, divergence }: Extract<CallbackBody, { type: "error" }>["error"],
  by: string,
): DeliveryOutcome {
  if (code === "HISTORY_NEEDED") return { type: "history_needed" };
  if (code === "NON_DETERMINISM" && divergence) return { type: "diverged", divergence, message };
  if (code === "WORKFLOW_NOT_SERVED") return { type: "not_served", message };
  // Nothing was executed.
  if (code === "ORCHESTRATOR_UNREACHABLE" || code === "CONTEXT_FAILED")
    return { type: "busy", retryAfterMs: 0, message: `${by} answered ${code}: ${message}` };
  return { type: "failed", code: "ENDPOINT_ERROR", message: `${by} failed with ${code}: ${message}`, reach: "lost" };
}
