/** `/v1/schedules`: activate, look, steer. */
import {
  type ActivateScheduleBody,
  AikiError,
  activateScheduleBodySchema,
  activateScheduleResultSchema,
  inputHash,
  type JsonValue,
  LIMITS,
  listSchedulesQuerySchema,
  newId,
  type Schedule,
  type ScheduleSummary,
  scheduleIdSchema,
  schedulePageSchema,
  scheduleSchema,
  type TriggerScheduleResult,
  triggerScheduleBodySchema,
  triggerScheduleResultSchema,
} from "@aikirun/protocol";
import { z } from "zod";
import { checkedRecurrence, fireNow, nextAfter, upcoming } from "../core/schedule.js";
import type { NewSchedule, ScheduleFilter, StoredSchedule } from "../store/port.js";
import { checkPayload } from "./body.js";
import { type Reply, type Route, route } from "./route.js";
import type { Services } from "./services.js";

const params = z.strictObject({ id: scheduleIdSchema });
const nothing = z.strictObject({});
const DEFAULT_PAGE = 50;
const UPCOMING = 5;
/** A schedule that fires meanwhile is read again. */
const ATTEMPTS = 20;

export const scheduleRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/schedules",
    scope: "write",
    summary: "Activate a schedule. The same again changes nothing; other contents under its reference update it.",
    body: activateScheduleBodySchema,
    answers: { 201: activateScheduleResultSchema, 200: activateScheduleResultSchema },
    handle: ({ body, caller }, services) => activate(caller.ns, body, services),
  }),
  route({
    method: "GET",
    path: "/v1/schedules",
    scope: "read",
    summary: "Schedules, newest first.",
    query: listSchedulesQuerySchema,
    answers: { 200: schedulePageSchema },
    async handle({ query, caller }, { store }) {
      const { cursor, limit = DEFAULT_PAGE, ...filter } = query;
      const found = await store.listSchedules(caller.ns, filter as ScheduleFilter, cursor, limit);
      const next = found.length === limit ? found.at(-1)?.id : undefined;
      return { status: 200, body: { schedules: found.map(toSummary), ...(next && { next }) } };
    },
  }),
  route({
    method: "GET",
    path: "/v1/schedules/:id",
    scope: "read",
    summary: "One schedule, and when it fires next.",
    params,
    answers: { 200: scheduleSchema },
    async handle({ params, caller }, { store }) {
      return { status: 200, body: toSchedule(found(params.id, await store.getSchedule(caller.ns, params.id))) };
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/schedules/:id",
    scope: "write",
    summary: "End a schedule. Runs that it has started go on.",
    params,
    answers: { 204: "empty" },
    async handle({ params, caller }, { store }) {
      if (!(await store.deleteSchedule(caller.ns, params.id))) found(params.id, undefined);
      return { status: 204 };
    },
  }),
  route({
    method: "POST",
    path: "/v1/schedules/:id/pause",
    scope: "write",
    summary: "Let a schedule fire no more until it is resumed.",
    params,
    body: nothing,
    answers: { 200: scheduleSchema },
    handle: ({ params, caller }, services) => retime(caller.ns, params.id, services, () => undefined),
  }),
  route({
    method: "POST",
    path: "/v1/schedules/:id/resume",
    scope: "write",
    summary: "Let a paused schedule go on with its next instant. What it missed meanwhile is not made up for.",
    params,
    body: nothing,
    answers: { 200: scheduleSchema },
    handle: ({ params, caller }, services) =>
      retime(
        caller.ns,
        params.id,
        services,
        (schedule) => schedule.nextAt ?? nextAfter(schedule, services.store.now().latest),
      ),
  }),
  route({
    method: "POST",
    path: "/v1/schedules/:id/trigger",
    scope: "write",
    summary: "Start a run of a schedule now, under its overlap policy. When it fires by itself does not change.",
    params,
    body: triggerScheduleBodySchema,
    answers: { 201: triggerScheduleResultSchema, 200: triggerScheduleResultSchema },
    async handle({ params, body, caller }, services) {
      const result = await trigger(caller.ns, params.id, body.id ?? newId("run"), services);
      return { status: result.started ? 201 : 200, body: result };
    },
  }),
];

async function activate(ns: string, body: ActivateScheduleBody, { store, schedules }: Services): Promise<Reply> {
  checkPayload(body.input, "input");
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

async function retime(
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
    return { ...before, nextAt };
  });
  if (schedule.nextAt !== undefined) schedules.wakeAt(schedule.nextAt);
  return { status: 200, body: toSchedule(schedule) };
}

async function trigger(
  ns: string,
  id: string,
  runId: string,
  { store, dispatcher }: Services,
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
    dispatcher.wake();
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

function found(id: string, schedule: StoredSchedule | undefined): StoredSchedule {
  if (schedule) return schedule;
  throw new AikiError("NOT_FOUND", `There is no schedule ${id} in this namespace.`);
}

function toSummary(schedule: StoredSchedule): ScheduleSummary {
  const { id, reference, workflow, version, recurrence, overlapPolicy, catchUp, nextAt, lastAt, last } = schedule;
  const { started, skipped, createdAt, updatedAt } = schedule;
  return {
    id,
    ...(reference === undefined ? {} : { reference }),
    workflow,
    version,
    recurrence,
    overlapPolicy,
    catchUp,
    status: nextAt === undefined ? "paused" : "active",
    ...(nextAt === undefined ? {} : { nextAt }),
    ...(lastAt === undefined ? {} : { lastAt }),
    ...(last === undefined ? {} : { lastRun: last.runId }),
    started,
    skipped,
    createdAt,
    updatedAt,
  };
}

function toSchedule(schedule: StoredSchedule): Schedule {
  const { input, retry, timeoutMs, pool } = schedule;
  return {
    ...toSummary(schedule),
    ...(input === undefined ? {} : { input }),
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(pool === undefined ? {} : { pool }),
    upcoming: upcoming(schedule, UPCOMING),
  };
}
