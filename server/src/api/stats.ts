/** `/v1/stats`: numbers over time. */
import {
  AikiError,
  type EndpointStatsSeries,
  endpointIdSchema,
  endpointStatsSeriesSchema,
  type Latency,
  LIMITS,
  type PushStats,
  type Stats,
  type StatsPoint,
  type StatsQuery,
  statsQuerySchema,
  statsSchema,
} from "@aikirun/protocol";
import * as z from "zod";
import { addDurations, countOf, type Durations, NO_DURATIONS, percentile } from "../core/buckets.js";
import { shownUrl } from "../dispatch/refusal.js";
import type { EndpointMinute, Minute, Span } from "../store/port.js";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";

const DEFAULT_SPAN_MS = 60 * 60_000;
const MINUTE_MS = LIMITS.statsStepMs;
/** Steps that a person can read off, the first that gives no more points than that. */
const STEPS_MS = [1, 5, 15, 60, 180, 360].map((minutes) => minutes * MINUTE_MS);
const DEFAULT_POINTS = 180;

export const statsRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/stats",
    scope: "read",
    summary: "Throughput, failures, latency and backlog over time, and the busiest endpoints.",
    query: statsQuerySchema,
    answers: { 200: statsSchema },
    handle: async ({ query, caller }, services) => ({ status: 200, body: await stats(caller.ns, query, services) }),
  }),
  route({
    method: "GET",
    path: "/v1/endpoints/:id/stats",
    scope: "read",
    summary: "Pushes to one endpoint over time: how many, how many failed, how long they took.",
    params: z.strictObject({ id: endpointIdSchema }),
    query: statsQuerySchema,
    answers: { 200: endpointStatsSeriesSchema },
    handle: async ({ params: { id }, query, caller }, services) => ({
      status: 200,
      body: await endpointStats(caller.ns, id, query, services),
    }),
  }),
];

async function stats(ns: string, query: StatsQuery, { store, endpoints }: Services): Promise<Stats> {
  const { stepMs, ...span } = stepsOf(query, store.now().latest);
  const [minutes, busiest] = await Promise.all([
    store.readMinutes(ns, span, stepMs),
    store.busiestEndpoints(ns, span, LIMITS.statsEndpoints),
  ]);
  const known = new Map(minutes.map((minute) => [minute.at, minute]));
  return {
    ...span,
    stepMs,
    points: stepsIn(span, stepMs).map((at) => pointOf(at, known.get(at))),
    endpoints: busiest.map((row) => {
      const stored = endpoints.get(row.endpointId)?.stored;
      const named = stored?.ns === ns ? { name: stored.name, url: shownUrl(stored.url) } : {};
      return { id: row.endpointId, ...named, pushes: pushesOf(row) };
    }),
  };
}

async function endpointStats(
  ns: string,
  id: string,
  query: StatsQuery,
  { store }: Services,
): Promise<EndpointStatsSeries> {
  const { stepMs, ...span } = stepsOf(query, store.now().latest);
  const rows = await store.readEndpointMinutes(ns, id, span, stepMs);
  const known = new Map(rows.map((row) => [row.at, row]));
  const total = {
    pushesFailed: rows.reduce((sum, { pushesFailed }) => sum + pushesFailed, 0),
    pushed: rows.map(({ pushed }) => pushed).reduce(addDurations, NO_DURATIONS),
  };
  const points = stepsIn(span, stepMs).map((at) => ({ at, pushes: pushesOf(known.get(at)) }));
  return { ...span, stepMs, points, total: pushesOf(total) };
}

/** Throws `INVALID_REQUEST`. */
function stepsOf({ from, to: until, step }: StatsQuery, now: number): Span & { readonly stepMs: number } {
  const to = until ?? Math.ceil(now);
  const since = Math.max(from ?? to - DEFAULT_SPAN_MS, Math.floor(now) - LIMITS.statsKeptMs);
  const stepMs = step ?? STEPS_MS.find((ms) => (to - since) / ms <= DEFAULT_POINTS) ?? (STEPS_MS.at(-1) as number);
  if (stepMs % MINUTE_MS !== 0) throw invalid(`step is ${stepMs}; it must be a multiple of ${MINUTE_MS} ms`);
  if (from !== undefined && from >= to) throw invalid(`from is ${from}, which is not before to, ${to}`);
  const points = (to - since) / stepMs;
  if (points > LIMITS.statsPoints)
    throw invalid(
      `this asks for ${Math.ceil(points)} points; at most ${LIMITS.statsPoints} are given, in longer steps`,
    );
  return { from: Math.floor(since / stepMs) * stepMs, to, stepMs };
}

function invalid(problem: string): AikiError {
  return new AikiError("INVALID_REQUEST", `query: ${problem}.`);
}

function stepsIn({ from, to }: Span, stepMs: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / stepMs)) }, (_, i) => from + i * stepMs);
}

function pointOf(at: number, minute: Minute | undefined): StatsPoint {
  const { started = 0, completed = 0, failed = 0, cancelled = 0, backlog = 0, starts } = minute ?? {};
  const startLatency = latencyOf(starts);
  const point = { at, started, completed, failed, cancelled, backlog, pushes: pushesOf(minute) };
  return { ...point, ...(startLatency && { startLatency }) };
}

function pushesOf(row: Pick<EndpointMinute, "pushed" | "pushesFailed"> | undefined): PushStats {
  if (!row) return { count: 0, failed: 0 };
  const latency = latencyOf(row.pushed);
  return { count: countOf(row.pushed), failed: row.pushesFailed, ...(latency && { latency }) };
}

function latencyOf(durations: Durations | undefined): Latency | undefined {
  const count = durations ? countOf(durations) : 0;
  if (!durations || count === 0) return undefined;
  const rounded = (ms: number) => Math.round(ms * 10) / 10;
  return {
    meanMs: rounded(durations.sumMs / count),
    p50Ms: rounded(percentile(durations, 0.5)),
    p95Ms: rounded(percentile(durations, 0.95)),
    p99Ms: rounded(percentile(durations, 0.99)),
  };
}
