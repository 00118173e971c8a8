/** Opening failed runs again. */
import { AikiError, newId, type RunStatus } from "@aikirun/protocol";
import { runNotFound } from "./mail.js";
import type { Services } from "./services.js";

/** True: this request was carried out before. `id` absent: made here, and a retry of the request would be another one. */
export async function retryRun(
  { store, dispatcher }: Pick<Services, "store" | "dispatcher">,
  ns: string,
  runId: string,
  id: string | undefined,
): Promise<boolean> {
  const outcome = await store.retry(ns, runId, id ?? newId("msg"));
  if (outcome.type === "unknown") throw runNotFound(runId);
  if (outcome.type === "not_failed") throw notFailed(runId, outcome.status);
  if (outcome.type === "retried") dispatcher.wake();
  return outcome.type === "duplicate";
}

function notFailed(runId: string, status: RunStatus): AikiError {
  const instead = status === "stalled" ? ` Let it go on with: aiki runs requeue ${runId}` : "";
  return new AikiError("RUN_NOT_FAILED", `${runId} is ${status}: only a failed run can be retried.${instead}`, {
    details: { status },
  });
}
