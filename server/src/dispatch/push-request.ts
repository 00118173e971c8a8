/** The body of a push. */
import {
  CHECKPOINT_HISTORY,
  type CheckpointAccess,
  type ExecuteRequest,
  type HistoryRecord,
  type HistorySlice,
  type PushedRun,
} from "@aikirun/protocol";
import type { RunFacts } from "../core/run.js";
import type { RunState } from "../core/state.js";
import type { Route } from "./delivery.js";
import type { Hold } from "./hold.js";

export interface PreparedPush {
  readonly route: Route;
  readonly request: ExecuteRequest;
}

/** The push that follows now or, with `coming`, after the commit under way has added these records. */
export function pushRequest(hold: Hold, route: Route, coming?: readonly HistoryRecord[]): ExecuteRequest {
  const { facts, fence } = hold.state;
  const { delivery, timers } = hold.shared;
  const pushId = timers.newId("push");
  const checkpoint = delivery.checkpointAccess?.(route, { ns: facts.ns, runId: facts.id, pushId, fence });
  return {
    type: "execute",
    pushId,
    fence: coming ? { ...fence, seq: fence.seq + 1 } : fence,
    run: pushedRun(facts),
    history: withinBound(hold, hold.slice(route, coming ?? []), checkpoint),
    budgetMs: route.budgetMs,
    ...(checkpoint && { checkpoint }),
  };
}

/** Once a push was too large, the endpoint reads the history of this run by itself. */
function withinBound(hold: Hold, slice: HistorySlice, checkpoint: CheckpointAccess | undefined): HistorySlice {
  if (!hold.tooLarge || !checkpoint) return slice;
  return { ...slice, records: [], url: checkpoint.url + CHECKPOINT_HISTORY };
}

export function pushedRun(facts: RunFacts): PushedRun {
  return {
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
