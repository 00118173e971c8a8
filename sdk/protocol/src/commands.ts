/** What replay asks for. Commands carry durations, never instants: the database makes instants. */
import * as z from "zod";
import { entryKeySchema, timingSchema } from "./history.js";
import { LIMITS } from "./limits.js";
import {
  durationMsSchema,
  jsonSchema,
  nameSchema,
  referenceIdSchema,
  retryPolicySchema,
  terminalStatusSchema,
  timeLimitMsSchema,
  versionSchema,
  wireErrorSchema,
} from "./values.js";

const taskAttempt = z.number().int().min(1);

export const commandSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("task.completed"),
    key: entryKeySchema,
    taskAttempt,
    output: jsonSchema.optional(),
    timing: timingSchema.optional(),
  }),
  z.strictObject({
    type: z.literal("task.failed"),
    key: entryKeySchema,
    taskAttempt,
    error: wireErrorSchema,
    timing: timingSchema.optional(),
  }),
  z.strictObject({
    type: z.literal("task.retry"),
    key: entryKeySchema,
    taskAttempt,
    error: wireErrorSchema,
    delayMs: durationMsSchema,
    timing: timingSchema.optional(),
  }),
  z.strictObject({ type: z.literal("sleep"), key: entryKeySchema, durationMs: durationMsSchema }),
  z.strictObject({ type: z.literal("event.wait"), key: entryKeySchema, timeoutMs: durationMsSchema.optional() }),
  /** Gives up a wait. An event that filled it and that the handler has not seen returns to the head of its queue. */
  z.strictObject({ type: z.literal("event.close"), key: entryKeySchema }),
  z.strictObject({ type: z.literal("sleep.close"), key: entryKeySchema }),
  z.strictObject({
    type: z.literal("child.start"),
    key: entryKeySchema,
    workflow: nameSchema,
    version: versionSchema,
    input: jsonSchema.optional(),
    reference: referenceIdSchema.optional(),
    delayMs: durationMsSchema.optional(),
    retry: retryPolicySchema.optional(),
    timeoutMs: timeLimitMsSchema.optional(),
    pool: nameSchema.optional(),
  }),
  z.strictObject({
    type: z.literal("child.wait"),
    key: entryKeySchema,
    /** The key of the child's own entry, which this answer or an earlier one started. */
    child: entryKeySchema,
    status: terminalStatusSchema,
    timeoutMs: durationMsSchema.optional(),
  }),
  /** Gives up a wait for a child; the child goes on. */
  z.strictObject({ type: z.literal("wait.close"), key: entryKeySchema }),
  z.strictObject({ type: z.literal("run.completed"), output: jsonSchema.optional() }),
  z.strictObject({
    type: z.literal("run.failed"),
    error: wireErrorSchema,
    /** The key of the task whose failure ended the run, when one did. */
    task: entryKeySchema.optional(),
  }),
  /** The handler failed and its policy has attempts left: it is run again from its start after this long. */
  z.strictObject({
    type: z.literal("run.retry"),
    error: wireErrorSchema,
    delayMs: durationMsSchema,
    task: entryKeySchema.optional(),
  }),
]);
export type Command = z.infer<typeof commandSchema>;

export const commandsSchema = z.array(commandSchema).max(LIMITS.commands);
