/** Numbers over time, and how many runs there are: `GET /v1/stats`, `GET /v1/runs/counts`, `GET /v1/attention`. */
import * as z from "zod";
import { endpointSchema, runSummarySchema } from "./api.js";
import { LIMITS } from "./limits.js";
import { endpointIdSchema, instantSchema, runStatusSchema } from "./values.js";

/**
 * Instants and durations are whole milliseconds. Default: the last hour, in steps that give at most
 * `LIMITS.statsPoints`. `from` is rounded down to a whole step; `step` is a multiple of a minute.
 */
export const statsQuerySchema = z.strictObject({
  from: z.coerce.number().int().min(0).optional(),
  to: z.coerce.number().int().min(0).optional(),
  step: z.coerce.number().int().min(LIMITS.statsStepMs).optional(),
});
export type StatsQuery = z.infer<typeof statsQuerySchema>;

/** Percentiles are read off buckets: right within about a fifth. */
export const latencySchema = z.strictObject({
  meanMs: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
});
export type Latency = z.infer<typeof latencySchema>;

/** Pushes that ended. `failed` of them brought no usable answer; one that was refused with 429 or 503 counts there. */
export const pushStatsSchema = z.strictObject({
  count: z.number().int(),
  failed: z.number().int(),
  /** Absent when there were none. */
  latency: latencySchema.optional(),
});
export type PushStats = z.infer<typeof pushStatsSchema>;

export const statsPointSchema = z.strictObject({
  /** Where the step begins. A step in which nothing happened has a point of zeros. */
  at: instantSchema,
  started: z.number().int(),
  completed: z.number().int(),
  failed: z.number().int(),
  cancelled: z.number().int(),
  pushes: pushStatsSchema,
  /** From when a run was due for the first time until its first push. Absent when none was pushed for the first time. */
  startLatency: latencySchema.optional(),
  /** Most runs that were due and in nobody's hands, as sampled once a minute. Absent when nobody sampled. */
  backlog: z.number().int().optional(),
});
export type StatsPoint = z.infer<typeof statsPointSchema>;

export const endpointStatsSchema = z.strictObject({
  id: endpointIdSchema,
  /** Absent when it was removed since. */
  name: z.string().optional(),
  url: z.string().optional(),
  /** Of the whole time. */
  pushes: pushStatsSchema,
});
export type EndpointStats = z.infer<typeof endpointStatsSchema>;

export const statsSchema = z.strictObject({
  from: instantSchema,
  to: instantSchema,
  stepMs: z.number().int(),
  /** Every step from `from` to `to`, oldest first. What processes counted within the last minute may still be missing. */
  points: z.array(statsPointSchema),
  /** Endpoints that were pushed to, the busiest first, at most `LIMITS.statsEndpoints`. */
  endpoints: z.array(endpointStatsSchema),
});
export type Stats = z.infer<typeof statsSchema>;

/** The same over time for one endpoint: `GET /v1/endpoints/{id}/stats`. */
export const endpointStatsSeriesSchema = z.strictObject({
  from: instantSchema,
  to: instantSchema,
  stepMs: z.number().int(),
  points: z.array(z.strictObject({ at: instantSchema, pushes: pushStatsSchema })),
  total: pushStatsSchema,
});
export type EndpointStatsSeries = z.infer<typeof endpointStatsSeriesSchema>;

/** `more`: there are more than `count`, which is where counting ends (`LIMITS.countedRuns`). */
export const runCountSchema = z.strictObject({ count: z.number().int(), more: z.boolean() });
export type RunCount = z.infer<typeof runCountSchema>;
export const runCountsSchema = z.strictObject({ counts: z.record(runStatusSchema, runCountSchema) });
export type RunCounts = z.infer<typeof runCountsSchema>;

/** What needs a person, in one request. */
export const attentionSchema = z.strictObject({
  stalled: z.strictObject({
    ...runCountSchema.shape,
    /** The newest few. */
    runs: z.array(
      runSummarySchema.extend({ trouble: z.strictObject({ code: z.string(), message: z.string() }).optional() }),
    ),
  }),
  /** Endpoints that a signed `describe` found wanting. */
  endpoints: z.array(endpointSchema.pick({ id: true, name: true, url: true, status: true, trouble: true })),
  /** Versions that nobody serves, with the runs that wait for somebody who does. */
  unserved: z.array(z.strictObject({ workflow: z.string(), version: z.string(), ...runCountSchema.shape })),
});
export type Attention = z.infer<typeof attentionSchema>;
