/** What became of the pushes of one run: `GET /v1/runs/{id}/pushes`. */
import * as z from "zod";
import { endpointIdSchema, instantSchema, pushIdSchema, workerIdSchema } from "./values.js";

export const runPushSchema = z.strictObject({
  id: pushIdSchema,
  /** Who got it. A worker has no name and no URL, and neither has an endpoint that was removed since. */
  endpoint: z.strictObject({
    id: z.union([endpointIdSchema, workerIdSchema]),
    name: z.string().optional(),
    url: z.string().optional(),
  }),
  /** The fence that it went out under. */
  gen: z.number().int(),
  seq: z.number().int(),
  /** By the database's clock. */
  startedAt: instantSchema,
  durationMs: z.number().int(),
  /** `committed`: what it brought is written. Any other is the code of its failure. */
  outcome: z.string(),
  /** What a failure said. */
  message: z.string().optional(),
  /** 1, and one more for each delivery in a row that had failed before it. */
  delivery: z.number().int(),
  /** Commits that it made on its way, before its answer. */
  checkpoints: z.number().int(),
});
export type RunPush = z.infer<typeof runPushSchema>;

/** The newest first, at most `LIMITS.keptPushes`. A push appears when it is over. */
export const runPushListSchema = z.strictObject({ pushes: z.array(runPushSchema) });
export type RunPushList = z.infer<typeof runPushListSchema>;
