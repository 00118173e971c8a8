/**
 * Server-sent events. `GET /v1/runs/{id}/stream` has `record` and `run`, with the record's number as `id:`, so that a
 * browser that connects again goes on where it was. `GET /v1/stream` has the events below.
 */
import * as z from "zod";
import { listRunsQuerySchema, runSummarySchema } from "./api.js";
import { runIdSchema } from "./values.js";

/** Which runs are watched: a filter as in `GET /v1/runs`, and how many of its newest. */
export const streamQuerySchema = listRunsQuerySchema.omit({ cursor: true });
export type StreamQuery = z.infer<typeof streamQuerySchema>;

/** Event `runs`: all that are watched, newest first. The first event of every connection. */
export const streamedRunsSchema = z.strictObject({ runs: z.array(runSummarySchema) });
export type StreamedRuns = z.infer<typeof streamedRunsSchema>;

/**
 * Event `changes`: runs that are new or have changed, and ids of those that are not among the watched any more, because
 * newer ones came or their status is another one now.
 */
export const streamedChangesSchema = z.strictObject({
  runs: z.array(runSummarySchema),
  gone: z.array(runIdSchema),
});
export type StreamedChanges = z.infer<typeof streamedChangesSchema>;
