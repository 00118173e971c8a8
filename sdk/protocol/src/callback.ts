/**
 * Work that outlives its invocation: the endpoint answers a push with 202 and brings the answer later, to the checkpoint
 * URL of that push and with its token. Until then the run is held for nobody else.
 */
import * as z from "zod";
import { LIMITS } from "./limits.js";
import { errorAnswerSchema, executeAnswerSchema } from "./push.js";
import { timeLimitMsSchema } from "./values.js";
import { heldPushSchema } from "./worker.js";

/** With status 202 and no other. The ids are those of the push; `seq` is the last sequence that was acknowledged. */
export const callbackPromiseSchema = z.strictObject({
  ...heldPushSchema.shape,
  seq: z.number().int().min(0),
  callback: z.literal(true),
  /** Within so many milliseconds from now. */
  deadlineMs: z.number().int().min(1).max(LIMITS.callbackMs),
});
export type CallbackPromise = z.infer<typeof callbackPromiseSchema>;

/** What came of the push: its answer, or what it would have been refused with. */
export const callbackBodySchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("answer"),
    answer: executeAnswerSchema,
    /** The time limit of the run's version, which whoever takes the answer may not know. */
    timeoutMs: timeLimitMsSchema.optional(),
  }),
  z.strictObject({
    type: z.literal("error"),
    push: heldPushSchema,
    error: z.strictObject(errorAnswerSchema.shape.error.shape),
  }),
]);
export type CallbackBody = z.infer<typeof callbackBodySchema>;

export const callbackTakenSchema = z.strictObject({ taken: z.literal(true) });

/** `wanted: false`: the run was cancelled, its time is over, or somebody else has it. Stop; there is nothing to bring. */
export const callbackWantedSchema = z.strictObject({ wanted: z.boolean() });
