/** The body of a push. */
import type { CheckpointAccess, ExecuteRequest, HistoryRecord } from "@aikirun/protocol";
import type { RunState } from "../core/state.js";
import type { PushedPlace } from "./checkpoint-token.js";
import type { Route } from "./delivery.js";
import type { Hold } from "./hold.js";

export interface PreparedPush {
  readonly route: Route;
  readonly request: ExecuteRequest;
}

/** The push that follows now or, with `coming`, after the commit under way has added these records. */
export function pushRequest(
  hold: Hold,
  to: Pick<Route, "endpointId" | "budgetMs">,
  coming: readonly HistoryRecord[] | undefined,
  accessTo: (place: PushedPlace) => CheckpointAccess | undefined,
): ExecuteRequest {
  const { facts, fence } = hold.state;
  const pushId = hold.shared.timers.newId("push");
  const checkpoint = accessTo({ ns: facts.ns, runId: facts.id, pushId, fence });
  return {
    type: "execute",
    pushId,
    fence: coming ? { ...fence, seq: fence.seq + 1 } : fence,
    run: {
      id: facts.id,
      workflow: facts.workflow,
      version: facts.version,
      ...(facts.input === undefined ? {} : { input: facts.input }),
      runAttempt: facts.runAttempt,
      createdAt: facts.createdAt,
      options: {
        ...(facts.retry === undefined ? {} : { retry: facts.retry }),
        ...(facts.timeoutMs === undefined ? {} : { timeoutMs: facts.timeoutMs }),
        ...(facts.reference === undefined ? {} : { reference: facts.reference }),
        ...(facts.pool === undefined ? {} : { pool: facts.pool }),
      },
    },
    history: hold.slice(to, coming ?? []),
    budgetMs: to.budgetMs,
    ...(checkpoint && { checkpoint }),
  };
}

/** Whether what was made ready for a state that was to come is right for the state that came. */
export function isNextPush({ route, request }: PreparedPush, now: Route, { fence, records }: RunState): boolean {
  return (
    route.endpointId === now.endpointId &&
    request.budgetMs === now.budgetMs &&
    request.fence.epoch === fence.epoch &&
    request.fence.gen === fence.gen &&
    request.fence.seq === fence.seq &&
    request.history.head.n === records.length
  );
}
