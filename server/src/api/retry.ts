/** Opening failed runs again. */
import { AikiError, type BulkBody, type BulkResult, LIMITS, newId, type RunStatus } from "@aikirun/protocol";
import type { RunFilter } from "../store/port.js";
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
  if (outcome.type === "retried") dispatcher.wake({ ns, runIds: [runId] });
  return outcome.type === "duplicate";
}

/** Failed runs that are read at a time. */
const PAGE_RUNS = 500;
/** Statements of one request at a time: a retry is no message to a row that is there, it makes the row anew. */
const AT_ONCE = 16;

/** The failed runs of a filter. One that somebody else has opened meanwhile is passed over. */
export async function retryAll(
  { store, dispatcher }: Pick<Services, "store" | "dispatcher">,
  ns: string,
  { id = newId("msg"), filter: wanted, cursor: after, limit = LIMITS.bulkRuns }: Omit<BulkBody, "reason">,
): Promise<BulkResult> {
  const status = (wanted.status ?? ["failed"]).filter((one) => one === "failed");
  const filter = { ...wanted, status } as RunFilter;
  const counts = { retried: 0, duplicate: 0, not_failed: 0, unknown: 0 };
  let cursor = after;
  for (let left = limit; left > 0; ) {
    const asked = Math.min(left, PAGE_RUNS);
    const { runs: page, next } = await store.listRuns(ns, filter, cursor, asked);
    for (let i = 0; i < page.length; i += AT_ONCE) {
      const some = page.slice(i, i + AT_ONCE);
      for (const { type } of await Promise.all(some.map((run) => store.retry(ns, run.id, id)))) counts[type] += 1;
    }
    if (page.length > 0) dispatcher.wake({ ns, runIds: page.map((run) => run.id) });
    left -= page.length;
    cursor = next;
    if (cursor === undefined) break;
  }
  return { sent: counts.retried, duplicate: counts.duplicate, ...(cursor !== undefined && { next: cursor }) };
}

function notFailed(runId: string, status: RunStatus): AikiError {
  const instead = status === "stalled" ? ` Let it go on with: aiki runs requeue ${runId}` : "";
  return new AikiError("RUN_NOT_FAILED", `${runId} is ${status}: only a failed run can be retried.${instead}`, {
    details: { status },
  });
}
