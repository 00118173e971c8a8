/** The body of a push. */
import type { ExecuteRequest, HistoryRecord, PushedRun } from "@aikirun/protocol";
import { runAttemptOf } from "@aikirun/protocol/canonical";
import type { RunFacts } from "../core/run.js";
import type { RunState } from "../core/state.js";
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
  coming?: readonly HistoryRecord[],
): ExecuteRequest {
  const { facts, fence, runAttempt } = hold.state;
  const retries = runAttemptOf(coming ?? []) - 1;
  return {
    type: "execute",
    pushId: hold.shared.timers.newId("push"),
    fence: coming ? { ...fence, seq: fence.seq + 1 } : fence,
    run: pushedRun(facts, runAttempt + retries),
    history: hold.slice(to, coming ?? []),
    budgetMs: to.budgetMs,
  };
}

export function pushedRun(facts: RunFacts, runAttempt: number): PushedRun {
  return {
    id: facts.id,
    workflow: facts.workflow,
    version: facts.version,
    ...(facts.input === undefined ? {} : { input: facts.input }),
    runAttempt,
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
