/** Bodies of `/v1/schedules`. */
import * as z from "zod";
import { LIMITS } from "./limits.js";
import {
  durationMsSchema,
  instantSchema,
  jsonSchema,
  nameSchema,
  referenceIdSchema,
  retryPolicySchema,
  runIdSchema,
  scheduleIdSchema,
  versionSchema,
} from "./values.js";

/** When a schedule fires. Whether a cron expression and a time zone mean anything is the orchestrator's to say. */
export const recurrenceSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("cron"),
    /** Five fields, or six with seconds in front. */
    expression: z.string().min(1).max(LIMITS.cronChars),
    /** An IANA name. Default `UTC`. */
    timezone: z.string().min(1).max(LIMITS.timezoneChars).optional(),
  }),
  z.strictObject({ type: z.literal("interval"), everyMs: durationMsSchema.min(LIMITS.scheduleEveryMs) }),
]);
export type Recurrence = z.infer<typeof recurrenceSchema>;

/** What a fire does while the run before goes on. Default `allow`. */
export const overlapPolicySchema = z.enum(["allow", "skip", "cancel_previous"]);
export type OverlapPolicy = z.infer<typeof overlapPolicySchema>;

/** What becomes of fires that were missed: one run for all of them (default), or one for each, within a bound. */
export const catchUpSchema = z.enum(["one", "all"]);
export type CatchUp = z.infer<typeof catchUpSchema>;

const startedSchema = z.strictObject({
  workflow: nameSchema,
  version: versionSchema,
  input: jsonSchema.optional(),
  retry: retryPolicySchema.optional(),
  timeoutMs: durationMsSchema.optional(),
  pool: nameSchema.optional(),
});

export const activateScheduleBodySchema = startedSchema.extend({
  recurrence: recurrenceSchema,
  overlapPolicy: overlapPolicySchema.optional(),
  catchUp: catchUpSchema.optional(),
  /** Without one, the schedule is known by its workflow, version, recurrence and input. */
  reference: z
    .strictObject({
      id: referenceIdSchema,
      /** What to do when the reference belongs to a schedule with other contents. Default `update`. */
      conflictPolicy: z.enum(["update", "error", "return_existing"]).optional(),
    })
    .optional(),
});
export type ActivateScheduleBody = z.infer<typeof activateScheduleBodySchema>;

export const scheduleSummarySchema = z.strictObject({
  id: scheduleIdSchema,
  reference: z.string().optional(),
  workflow: z.string(),
  version: z.string(),
  recurrence: recurrenceSchema,
  overlapPolicy: overlapPolicySchema,
  catchUp: catchUpSchema,
  status: z.enum(["active", "paused"]),
  /** When it fires next; absent while it is paused. */
  nextAt: instantSchema.optional(),
  /** When it last started a run, and which. */
  lastAt: instantSchema.optional(),
  lastRun: runIdSchema.optional(),
  /** Runs that it has started, and fires that started none because the run before went on. */
  started: z.number().int(),
  skipped: z.number().int(),
  createdAt: instantSchema,
  updatedAt: instantSchema,
});
export type ScheduleSummary = z.infer<typeof scheduleSummarySchema>;

export const scheduleSchema = scheduleSummarySchema.extend({
  input: jsonSchema.optional(),
  retry: retryPolicySchema.optional(),
  timeoutMs: durationMsSchema.optional(),
  pool: z.string().optional(),
  /** The next few instants, from `nextAt` on. */
  upcoming: z.array(instantSchema),
});
export type Schedule = z.infer<typeof scheduleSchema>;

/** 201, or 200 when the schedule was there: `updated` when this activation changed it. */
export const activateScheduleResultSchema = z.strictObject({
  schedule: scheduleSchema,
  outcome: z.enum(["created", "updated", "unchanged"]),
});
export type ActivateScheduleResult = z.infer<typeof activateScheduleResultSchema>;

export const listSchedulesQuerySchema = z.strictObject({
  workflow: nameSchema.optional(),
  version: versionSchema.optional(),
  reference: referenceIdSchema.optional(),
  status: z.enum(["active", "paused"]).optional(),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageRows).optional(),
});
export type ListSchedulesQuery = z.infer<typeof listSchedulesQuerySchema>;
export const schedulePageSchema = z.strictObject({
  schedules: z.array(scheduleSummarySchema),
  next: z.string().optional(),
});
export type SchedulePage = z.infer<typeof schedulePageSchema>;

export const triggerScheduleBodySchema = z.strictObject({
  /** The run's id, made by the client: the same id again is the same trigger. */
  id: runIdSchema.optional(),
});
/** `started: false`: the policy is `skip` and `runId`, the run before, goes on. */
export const triggerScheduleResultSchema = z.strictObject({ runId: runIdSchema, started: z.boolean() });
export type TriggerScheduleResult = z.infer<typeof triggerScheduleResultSchema>;
