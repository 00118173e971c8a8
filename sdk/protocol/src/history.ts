/**
 * History: an append-only list of records. The state of an entry is the last record of its key; the order of the
 * records `n` is the order in which replay settles results.
 */
import * as z from "zod";
import { parseEntryKey } from "./key.js";
import { LIMITS } from "./limits.js";
import {
  instantSchema,
  isPlainText,
  jsonSchema,
  runIdSchema,
  terminalStatusSchema,
  timeLimitMsSchema,
  wireErrorSchema,
} from "./values.js";

export const entryKeySchema = z
  .string()
  .max(LIMITS.keyChars)
  .refine((key) => isPlainText(key) && parseEntryKey(key) !== undefined, "is not an entry key");

/** When the attempt ran, by the endpoint's own clock: for people and charts, never compared with anything. */
export const timingSchema = z.strictObject({ startedAt: instantSchema, elapsedMs: z.number().min(0) });
export type Timing = z.infer<typeof timingSchema>;

export const taskStateSchema = z.discriminatedUnion("state", [
  z.strictObject({
    state: z.literal("completed"),
    attempts: z.number().int().min(1),
    output: jsonSchema.optional(),
    timing: timingSchema.optional(),
  }),
  z.strictObject({
    state: z.literal("failed"),
    attempts: z.number().int().min(1),
    error: wireErrorSchema,
    timing: timingSchema.optional(),
  }),
  z.strictObject({
    state: z.literal("retrying"),
    attempts: z.number().int().min(1),
    error: wireErrorSchema,
    nextAttemptAt: instantSchema,
    /** Set when the time has come by the database's clock: the SDK runs the next attempt. */
    due: z.literal(true).optional(),
    timing: timingSchema.optional(),
  }),
]);
/** Given up by the handler before it saw an outcome: the call's promise never settles. */
const closedSchema = z.strictObject({ state: z.literal("closed") });
export const sleepStateSchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("sleeping"), wakeAt: instantSchema }),
  z.strictObject({ state: z.literal("completed") }),
  z.strictObject({ state: z.literal("cancelled") }),
  closedSchema,
]);
export const eventStateSchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("waiting"), timeoutAt: instantSchema.optional() }),
  z.strictObject({
    state: z.literal("received"),
    data: jsonSchema.optional(),
    /** The mailbox message that filled this wait. */
    message: z.number().int().min(1),
  }),
  z.strictObject({ state: z.literal("timedOut") }),
  /** The message of a `received` before it is in the queue again. */
  closedSchema,
]);
export const childStateSchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("started"), runId: runIdSchema }),
  z.strictObject({
    state: z.literal("ended"),
    runId: runIdSchema,
    status: terminalStatusSchema,
    output: jsonSchema.optional(),
    error: wireErrorSchema.optional(),
  }),
]);
export const waitStateSchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("waiting"), timeoutAt: instantSchema.optional() }),
  /** The child has ended, in whatever status; the child's own entry says how. */
  z.strictObject({ state: z.literal("ended") }),
  z.strictObject({ state: z.literal("timedOut") }),
  closedSchema,
]);
/** What happens to the run as a whole. After `completed` and `cancelled` nothing is recorded, after `failed` only `retried`. */
export const runEntryStateSchema = z.discriminatedUnion("state", [
  /** Somebody woke the run before the time that it was to start at: its time limit counts from here. */
  z.strictObject({ state: z.literal("woken"), at: instantSchema }),
  /** The version's own time limit, from its first answer on. One that the run was started with is not recorded. */
  z.strictObject({ state: z.literal("limited"), timeoutMs: timeLimitMsSchema }),
  /** Attempt `runAttempt` of the handler failed; the next one begins at `nextAttemptAt`. */
  z.strictObject({
    state: z.literal("retrying"),
    runAttempt: z.number().int().min(1),
    error: wireErrorSchema,
    nextAttemptAt: instantSchema,
    task: z.string().optional(),
  }),
  /**
   * Attempt `runAttempt` of the handler begins. Hides what failed, see `hiddenByRetry`; everything else is kept.
   * `reopenedAt`: somebody retried the run after it had failed, so that its time limit counts from here.
   */
  z.strictObject({
    state: z.literal("retried"),
    runAttempt: z.number().int().min(2),
    reopenedAt: instantSchema.optional(),
  }),
  z.strictObject({ state: z.literal("completed"), output: jsonSchema.optional() }),
  z.strictObject({ state: z.literal("failed"), error: wireErrorSchema, task: z.string().optional() }),
  z.strictObject({ state: z.literal("cancelled"), reason: z.string().max(LIMITS.reasonChars).optional() }),
]);

const n = z.number().int().min(1);
export const recordSchema = z.discriminatedUnion("kind", [
  z.strictObject({ n, kind: z.literal("task"), key: entryKeySchema, value: taskStateSchema }),
  z.strictObject({ n, kind: z.literal("sleep"), key: entryKeySchema, value: sleepStateSchema }),
  z.strictObject({ n, kind: z.literal("event"), key: entryKeySchema, value: eventStateSchema }),
  z.strictObject({ n, kind: z.literal("child"), key: entryKeySchema, value: childStateSchema }),
  z.strictObject({ n, kind: z.literal("wait"), key: entryKeySchema, value: waitStateSchema }),
  z.strictObject({ n, kind: z.literal("run"), key: entryKeySchema, value: runEntryStateSchema }),
]);
/** One recorded fact, number `n` of its run, counted from 1 without gaps. */
export type HistoryRecord = z.infer<typeof recordSchema>;
export type TaskState = z.infer<typeof taskStateSchema>;
export type SleepState = z.infer<typeof sleepStateSchema>;
export type EventState = z.infer<typeof eventStateSchema>;
export type ChildState = z.infer<typeof childStateSchema>;
export type WaitState = z.infer<typeof waitStateSchema>;
export type RunEntryState = z.infer<typeof runEntryStateSchema>;

/** A place in one particular history: the number of its last record and the hash of everything up to it. */
export const cursorSchema = z.strictObject({ n: z.number().int().min(0), hash: z.string().max(64) });
export type HistoryCursor = z.infer<typeof cursorSchema>;

/**
 * History as a push carries it. `after` absent: `records` are the whole history. Present: the endpoint said that it
 * holds everything up to that cursor, and `records` are what came since. `head` is where the history now ends. `url`
 * present: the records are too many for a push; they are read there, with the token of the push's checkpoints.
 */
export const historySliceSchema = z.strictObject({
  after: cursorSchema.optional(),
  records: z.array(recordSchema),
  head: cursorSchema,
  url: z.url().max(LIMITS.urlChars).optional(),
});
export type HistorySlice = z.infer<typeof historySliceSchema>;
