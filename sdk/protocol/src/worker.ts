/**
 * Pull: a worker asks for pushes and posts what came of them. The bodies are those of the push protocol; an API key stands
 * in for the signature, and a lease that the worker extends for the open connection.
 */
import * as z from "zod";
import { LIMITS } from "./limits.js";
import { errorAnswerSchema, executeAnswerSchema, executeRequestSchema } from "./push.js";
import { nameSchema, pushIdSchema, runIdSchema, timeLimitMsSchema, versionSchema, workerIdSchema } from "./values.js";

export const workPollBodySchema = z.strictObject({
  worker: workerIdSchema,
  versions: z
    .array(
      z.strictObject({
        workflow: nameSchema,
        version: versionSchema,
        /** How long a run of it may take that has no limit of its own. */
        timeoutMs: timeLimitMsSchema.optional(),
      }),
    )
    .min(1)
    .max(LIMITS.manifestWorkflows),
  /** Runs of these pools, beside those that name none. */
  pools: z.array(nameSchema).max(LIMITS.workerPools).optional(),
  /** How many runs may be given, `LIMITS.pollPushes` at most with one reply. 0 ends the polls of this worker that wait here, each with what it was given. */
  room: z.number().int().min(0).max(LIMITS.workerRuns),
  /** How long to wait for the first one. Default and most: `LIMITS.pollMs`. */
  waitMs: z.number().int().min(0).max(LIMITS.pollMs).optional(),
});
export type WorkPollBody = z.infer<typeof workPollBodySchema>;

/** When the run's time is over, by the orchestrator's clock. */
const timeoutAtSchema = z.number().int().min(0).optional();

/** One push, and how long the run stays this worker's without an extension, a checkpoint or an answer. */
export const workPushSchema = z.strictObject({
  push: executeRequestSchema,
  leaseMs: z.number().int().min(1),
  timeoutAt: timeoutAtSchema,
});
export type WorkPush = z.infer<typeof workPushSchema>;

/** Pushes that nobody wants the answer of any more: to be stopped and dropped. */
const goneSchema = z.array(z.strictObject({ pushId: pushIdSchema, why: z.enum(["cancelled", "lost"]) }));

/** Nothing when the time was up. `gone`: of what the worker has in hand, news that does not wait for its next extension. */
export const workPollAnswerSchema = z.strictObject({ pushes: z.array(workPushSchema), gone: goneSchema.optional() });
export type WorkPollAnswer = z.infer<typeof workPollAnswerSchema>;

/** Which push of which run, under which generation. */
export const heldPushSchema = z.strictObject({
  runId: runIdSchema,
  pushId: pushIdSchema,
  epoch: z.number().int().min(0),
  gen: z.number().int().min(0),
});
export type HeldPush = z.infer<typeof heldPushSchema>;

/** All that a worker has in hand, in one request. `timeoutAt` as it came with the push: no lease goes beyond it. */
export const workExtendBodySchema = z.strictObject({
  runs: z
    .array(z.strictObject({ ...heldPushSchema.shape, timeoutAt: timeoutAtSchema }))
    .min(1)
    .max(LIMITS.workerRuns),
});
export type WorkExtendBody = z.infer<typeof workExtendBodySchema>;

/** All others are extended. */
export const workExtendAnswerSchema = z.strictObject({ gone: goneSchema });
export type WorkExtendAnswer = z.infer<typeof workExtendAnswerSchema>;

const answering = {
  worker: workerIdSchema,
  /** The worker takes no further push of this run. */
  last: z.literal(true).optional(),
  /** Of the version, as in a poll: the answer may come to another replica than the poll. */
  timeoutMs: timeLimitMsSchema.optional(),
};
export const workAnswerBodySchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("answer"), ...answering, answer: executeAnswerSchema }),
  /** What an endpoint would have answered instead: `NON_DETERMINISM`, `HISTORY_NEEDED`, `WORKFLOW_NOT_SERVED`, … */
  z.strictObject({
    type: z.literal("error"),
    ...answering,
    push: heldPushSchema,
    error: z.strictObject(errorAnswerSchema.shape.error.shape),
  }),
  /** Given back as it was: whoever takes it next starts from what is recorded. */
  z.strictObject({ type: z.literal("release"), ...answering, push: heldPushSchema }),
]);
export type WorkAnswerBody = z.infer<typeof workAnswerBodySchema>;

export const workAnswerResultSchema = z.strictObject({
  /** `stale`: the run is no longer this worker's. Nothing was written. */
  outcome: z.enum(["recorded", "stale"]),
  /** The run goes on at once. */
  next: workPushSchema.optional(),
});
export type WorkAnswerResult = z.infer<typeof workAnswerResultSchema>;
