/** `/v1/schedules`: activate, look, steer. */
import {
  activateScheduleBodySchema,
  activateScheduleResultSchema,
  listSchedulesQuerySchema,
  newId,
  scheduleIdSchema,
  schedulePageSchema,
  scheduleSchema,
  triggerScheduleBodySchema,
  triggerScheduleResultSchema,
} from "@aikirun/protocol";
import * as z from "zod";
import { nextAfter } from "../core/schedule.js";
import type { ScheduleFilter } from "../store/port.js";
import { type Route, route } from "./route.js";
import { activate, found, retime, trigger } from "./schedule-changes.js";
import { toSchedule, toSummary } from "./schedule-view.js";

const params = z.strictObject({ id: scheduleIdSchema });
const nothing = z.strictObject({});
const DEFAULT_PAGE = 50;

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
      const page = await store.listSchedules(caller.ns, filter as ScheduleFilter, cursor, limit);
      const next = page.length === limit ? page.at(-1)?.id : undefined;
      return { status: 200, body: { schedules: page.map(toSummary), ...(next && { next }) } };
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
