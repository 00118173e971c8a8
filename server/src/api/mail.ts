/** Messages to runs, as the routes send them. */
import { AikiError, LIMITS, newId, type RunStatus } from "@aikirun/protocol";
import type { MessageBody } from "../core/run.js";
import type { AppendOutcome } from "../store/port.js";
import type { Services } from "./services.js";

export type Sent = Exclude<AppendOutcome, { type: "unknown" } | { type: "too_many_queued" }>;

/** Appends and wakes: an event may bring its run along, ready to go on. `eventId` absent: made here, and a retry of the request would be another message. */
export async function append(
  { store, dispatcher }: Services,
  ns: string,
  runId: string,
  eventId: string | undefined,
  body: MessageBody,
): Promise<AppendOutcome> {
  const leaseMs = body.kind === "event" ? dispatcher.leaseOfEvent() : undefined;
  const message = { ns, runId, eventId: eventId ?? newId("msg"), body };
  const outcome = await store.append(message, LIMITS.queuedEvents, leaseMs);
  if (outcome.type !== "appended") return outcome;
  if (outcome.held) dispatcher.accept(outcome.held);
  else dispatcher.wake({ ns, runIds: [runId] });
  return outcome;
}

/** The same for one run, where an unknown run and a full mailbox are errors. */
export async function appendTo(
  services: Services,
  ns: string,
  runId: string,
  eventId: string | undefined,
  body: MessageBody,
): Promise<Sent> {
  const outcome = await append(services, ns, runId, eventId, body);
  if (outcome.type === "unknown") throw runNotFound(runId);
  if (outcome.type === "too_many_queued") {
    throw new AikiError(
      "TOO_MANY_QUEUED_EVENTS",
      `${LIMITS.queuedEvents} events of ${runId} wait to be received. Send more when it has read some.`,
    );
  }
  return outcome;
}

export function runNotFound(runId: string): AikiError {
  return new AikiError("NOT_FOUND", `There is no run ${runId} in this namespace.`);
}

export function runEnded(runId: string, status: RunStatus): AikiError {
  return new AikiError("RUN_ENDED", `${runId} is ${status}: nothing can be sent to it any more.`, {
    details: { status },
  });
}
