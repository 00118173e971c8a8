/** `/v1/workers`: workers ask for runs, keep them, and bring what came of them. */
import {
  AikiError,
  type HeldPush,
  LIMITS,
  type WorkAnswerBody,
  type WorkAnswerResult,
  type WorkPush,
  workAnswerBodySchema,
  workAnswerResultSchema,
  workExtendAnswerSchema,
  workExtendBodySchema,
  workPollAnswerSchema,
  workPollBodySchema,
} from "@aikirun/protocol";
import { broughtOutcome } from "../dispatch/brought-answer.js";
import type { DeliveryOutcome } from "../dispatch/delivery.js";
import { checkCommands } from "./body.js";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";

export const workerRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/workers/poll",
    scope: "write",
    summary: "Give a worker runs to carry out: at once when there are some, else as soon as one comes up.",
    body: workPollBodySchema,
    answers: { 200: workPollAnswerSchema },
    async handle({ body, caller, signal, gone }, { dispatcher }) {
      const { ns } = caller;
      if (dispatcher.waitingPolls(ns) >= LIMITS.waitingPolls) throw tooManyPolls();
      const { waitMs = LIMITS.pollMs, pools = [], ...rest } = body;
      const answer = await dispatcher.poll({ ns, pools, ...rest }, waitMs, signal());
      returnUnreceived(answer.pushes, ns, gone(), dispatcher);
      return { status: 200, body: answer };
    },
  }),
  route({
    method: "POST",
    path: "/v1/workers/extend",
    scope: "write",
    summary: "Keep the runs that a worker has in hand, and learn which of them nobody wants the answer of any more.",
    endsInvocations: true,
    body: workExtendBodySchema,
    answers: { 200: workExtendAnswerSchema },
    async handle({ body, caller }, { dispatcher }) {
      const leases = await Promise.all(body.runs.map((run) => dispatcher.extend(caller.ns, run, run.timeoutAt)));
      const gone = body.runs.flatMap(({ pushId }, i) => {
        const lease = leases[i];
        if (lease && !lease.cancelRequested) return [];
        return { pushId, why: lease ? ("cancelled" as const) : ("lost" as const) };
      });
      return { status: 200, body: { gone } };
    },
  }),
  route({
    method: "POST",
    path: "/v1/workers/answer",
    scope: "write",
    summary: "Bring what came of a push; the answer carries the next push of the same run when it goes on at once.",
    endsInvocations: true,
    body: workAnswerBodySchema,
    answers: { 200: workAnswerResultSchema },
    async handle({ body, caller, gone }, { dispatcher }) {
      const { ns } = caller;
      if (body.type === "release") {
        await dispatcher.giveBack(ns, body.push);
        return { status: 200, body: { outcome: "recorded" } };
      }
      if (body.type === "answer") checkCommands(body.answer.commands);
      const { push, outcome } = broughtOutcome(body, "A worker");
      const result = await answer(ns, push, outcome, body, gone(), dispatcher);
      if (result.next) returnUnreceived([result.next], ns, gone(), dispatcher);
      return { status: 200, body: result };
    },
  }),
];

async function answer(
  ns: string,
  push: HeldPush,
  outcome: DeliveryOutcome,
  { worker, last, timeoutMs }: WorkAnswerBody,
  gone: AbortSignal,
  dispatcher: Services["dispatcher"],
): Promise<WorkAnswerResult> {
  let next: WorkPush | undefined;
  const give = (given: WorkPush): boolean => {
    if (!gone.aborted) next = given;
    return next !== undefined;
  };
  const seat = last ? undefined : { worker, give, leave: () => {} };
  const recorded = await dispatcher.answer(ns, push, outcome, { worker, seat, versionTimeoutMs: timeoutMs });
  return { outcome: recorded ? "recorded" : "stale", ...(next && { next }) };
}

/** A worker that went away before it had the whole answer never learns of these: they must not wait for their leases. */
function returnUnreceived(
  pushes: readonly WorkPush[],
  ns: string,
  gone: AbortSignal,
  dispatcher: Services["dispatcher"],
): void {
  const giveAllBack = () => {
    for (const { push } of pushes) {
      const { run, pushId, fence } = push;
      // The lease runs out when the store is away.
      dispatcher.giveBack(ns, { runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen }).catch(() => {});
    }
  };
  if (gone.aborted) giveAllBack();
  else if (pushes.length > 0) gone.addEventListener("abort", giveAllBack, { once: true });
}

export function tooManyPolls(): AikiError {
  return new AikiError(
    "OVERLOADED",
    `${LIMITS.waitingPolls} polls of this namespace wait here already. Give each worker more concurrency, or start another orchestrator.`,
    { details: { retryAfterMs: 5_000 } },
  );
}
