/** What changes a schedule from outside: each reads it, decides, and writes under its fence. */
import {
  type ActivateScheduleBody,
  AikiError,
  inputHash,
  type JsonValue,
  LIMITS,
  newId,
  type TriggerScheduleResult,
} from "@aikirun/protocol";
import { checkedRecurrence, fireNow, nextAfter } from "../core/schedule.js";
import type { NewSchedule, StoredSchedule } from "../store/port.js";
import { checkPayload } from "./body.js";
import type { Reply } from "./route.js";
import { toSchedule } from "./schedule-view.js";
import type { Services } from "./services.js";

/** A schedule that fires meanwhile is read again. */
const ATTEMPTS = 20;

export async function activate(ns: string, body: ActivateScheduleBody, services: Services): Promise<Reply> {
  const { store, schedules, schemas } = services;
  checkPayload(body.input, "input");
  await schemas.checkInput(ns, body, body.input);
  const given = newSchedule(ns, body, store.now().latest);
  const outcome = await store.activate(given, LIMITS.schedules);
  if (outcome.type === "too_many") {
    throw new AikiError(
      "TOO_MANY_SCHEDULES",
      `This namespace has ${LIMITS.schedules.toLocaleString("en-US")} schedules, and may not have more. Delete some: aiki schedules list.`,
    );
  }
  const { type, schedule } = outcome;
  if (schedule.contentHash !== given.contentHash && body.reference?.conflictPolicy === "error") {
    throw new AikiError(
      "REFERENCE_CONFLICT",
      `The reference id ${JSON.stringify(body.reference.id)} belongs to ${schedule.id}, which has other contents. Use another reference id, or conflictPolicy update.`,
      { details: { scheduleId: schedule.id } },
    );
  }
  if (schedule.nextAt !== undefined) schedules.wakeAt(schedule.nextAt);
  return { status: type === "created" ? 201 : 200, body: { schedule: toSchedule(schedule), outcome: type } };
}

function newSchedule(ns: string, body: ActivateScheduleBody, now: number): NewSchedule {
  const { workflow, version, input, reference, retry, timeoutMs, pool } = body;
  const { overlapPolicy = "allow", catchUp = "one" } = body;
  const recurrence = checkedRecurrence(body.recurrence, now);
  const said: JsonValue[] = [workflow, version, { ...recurrence }, input ?? null];
  // As text: what is absent is left out.
  const options = JSON.stringify([overlapPolicy, catchUp, retry, timeoutMs, pool]);
  return {
    ns,
    id: newId("sch"),
    reference: reference?.id,
    identity: reference ? `reference:${reference.id}` : `contents:${inputHash(said)}`,
    contentHash: inputHash([...said, options]),
    workflow,
    version,
    input,
    retry,
    timeoutMs,
    pool,
    requestHash: inputHash([workflow, version, input ?? null]),
    recurrence,
    overlapPolicy,
    catchUp,
    anchorAt: now,
    nextAt: nextAfter({ recurrence, anchorAt: now }, now),
    updates: (reference?.conflictPolicy ?? "update") === "update",
  };
}

export async function retime(
  ns: string,
  id: string,
  { store, schedules }: Services,
  nextOf: (schedule: StoredSchedule) => number | undefined,
): Promise<Reply> {
  const schedule = await changing(async () => {
    const before = found(id, await store.getSchedule(ns, id));
    const nextAt = nextOf(before);
    if (nextAt === before.nextAt) return before;
    if (!(await store.retimeSchedule(ns, id, before.seq, nextAt))) return undefined;
    return found(id, await store.getSchedule(ns, id));
  });
  if (schedule.nextAt !== undefined) schedules.wakeAt(schedule.nextAt);
  return { status: 200, body: toSchedule(schedule) };
}

export async function trigger(
  ns: string,
  id: string,
  runId: string,
  { store, dispatcher, observer }: Services,
): Promise<TriggerScheduleResult> {
  return changing(async () => {
    const schedule = found(id, await store.getSchedule(ns, id));
    // After the schedule: a trigger of this id that comes in between has changed the schedule, and is seen next time.
    const taken = await store.getRun(ns, runId);
    if (taken?.schedule === id) return { runId, started: true };
    if (taken) {
      throw new AikiError(
        "RUN_ID_CONFLICT",
        `The id ${runId} was used for another run. Make a new id for each trigger.`,
      );
    }
    const firing = fireNow(schedule, runId);
    if (!(await store.fire(firing))) return undefined;
    observer?.started(ns, firing.runIds.length);
    dispatcher.wake({ ns, runIds: firing.runIds });
    if (firing.cancels !== undefined) dispatcher.cancelSent(ns, firing.cancels);
    const started = firing.runIds.length > 0;
    return { runId: started ? runId : (schedule.last?.runId ?? runId), started };
  });
}

/** Again while the schedule is changed by somebody else between the reading and the writing. */
async function changing<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const done = await attempt();
    if (done !== undefined) return done;
  }
  throw new AikiError("OVERLOADED", "The schedule is being changed by others all the time. Try again.");
}

export function found(id: string, schedule: StoredSchedule | undefined): StoredSchedule {
  if (schedule) return schedule;
  throw new AikiError("NOT_FOUND", `There is no schedule ${id} in this namespace.`);
}
