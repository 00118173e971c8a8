/**
 * Inline checkpoints: an invocation records what it has done so far and goes on, instead of answering and being pushed
 * again. Carried by `POST <checkpoint url>` with the token that came with the push.
 */
import * as z from "zod";
import { commandsSchema } from "./commands.js";
import { recordSchema } from "./history.js";
import { LIMITS } from "./limits.js";
import { namespaceSchema, pushIdSchema, runIdSchema } from "./values.js";

export const CHECKPOINT_PATH = "/v1/checkpoints";
/** Below the URL of an access: checkpoints of several invocations in one request. */
export const CHECKPOINT_BATCH = "/batch";
/** Likewise: the history of the run that was pushed, in pages. */
export const CHECKPOINT_HISTORY = "/history";

/** Likewise: where the answer is brought to a push that was answered with 202, and whether it is still wanted. */
export const CALLBACK_PATH = "/answer";
export const CALLBACK_WANTED_PATH = "/wanted";

/** In a push: where its invocation may record results, and with what. Absent: it answers and is pushed again. */
export const checkpointAccessSchema = z.strictObject({
  url: z.url().max(LIMITS.urlChars),
  token: z.string().max(4_096),
  /**
   * Milliseconds from the push's arrival within which its answer may be brought here, after a 202 that says so. Absent:
   * it is answered over the push's own connection.
   */
  callbackMs: z.number().int().min(1_000).max(LIMITS.callbackMs).optional(),
});
export type CheckpointAccess = z.infer<typeof checkpointAccessSchema>;

export const checkpointBodySchema = z.strictObject({
  runId: runIdSchema,
  pushId: pushIdSchema,
  epoch: z.number().int().min(0),
  gen: z.number().int().min(0),
  /** The last sequence that the endpoint saw acknowledged. */
  seq: z.number().int().min(0),
  /** All since then, but nothing that ends the run: that is for the answer. */
  commands: commandsSchema,
});
export type CheckpointBody = z.infer<typeof checkpointBodySchema>;

export const checkpointAnswerSchema = z.strictObject({
  seq: z.number().int().min(0),
  /** What was recorded besides the outcomes of the checkpoint's own tasks, in order: events, timers, children. */
  records: z.array(recordSchema),
  /**
   * `answer`: start nothing new, wait for what runs, answer (the run is paused, or the orchestrator stops). `abandon`:
   * stop; nobody wants the answer (the run has ended).
   */
  stop: z.enum(["answer", "abandon"]).optional(),
});
export type CheckpointAnswer = z.infer<typeof checkpointAnswerSchema>;

/** Each with its own token, and each on its own: one that is refused takes no other with it. */
export const checkpointBatchSchema = z.strictObject({
  checkpoints: z
    .array(z.strictObject({ token: checkpointAccessSchema.shape.token, body: checkpointBodySchema }))
    .min(1)
    .max(LIMITS.batchCheckpoints),
});
export type CheckpointBatch = z.infer<typeof checkpointBatchSchema>;

/** In the order of the request. `status` is what the checkpoint alone would have been answered with. */
export const checkpointBatchAnswerSchema = z.strictObject({
  outcomes: z.array(
    z.union([
      z.strictObject({ status: z.literal(200), answer: checkpointAnswerSchema }),
      z.strictObject({ status: z.number().int(), error: z.strictObject({ code: z.string(), message: z.string() }) }),
    ]),
  ),
});
export type CheckpointBatchAnswer = z.infer<typeof checkpointBatchAnswerSchema>;

export const pushedHistorySchema = z.strictObject({
  records: z.array(recordSchema),
  /** Give as `after` to read on. */
  next: z.number().int().optional(),
});
export type PushedHistory = z.infer<typeof pushedHistorySchema>;

export const CHECKPOINT_TOKEN_TYPE = "aiki-checkpoint+jwt";
/** Claims of the token (RFC 7519) that the orchestrator makes for itself: good for one push of one run. */
export const checkpointClaimsSchema = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  ns: namespaceSchema,
  /** Run id. */
  sub: runIdSchema,
  /** Push id. */
  jti: pushIdSchema,
  exp: z.number().int().positive(),
  epoch: z.number().int().min(0),
  gen: z.number().int().min(0),
});
export type CheckpointClaims = z.infer<typeof checkpointClaimsSchema>;
