/** Everything that is read, by the key under which it is kept. */
import type {
  ApiKey,
  Attention,
  Endpoint,
  EndpointStatsSeries,
  HistoryPage,
  Run,
  RunCounts,
  RunPage,
  RunPushList,
  Schedule,
  SchedulePage,
  Session,
  Stats,
  WorkflowDetail,
  WorkflowList,
} from "@aikirun/protocol";
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { call, type Query } from "./request.js";

/** What nothing announces is asked for again after this. */
const SLOW_MS = 15_000;
const QUICK_MS = 5_000;
const MINUTE_MS = 60_000;
/** How long a process may keep what it has counted. */
const ADDED_UP_MS = 15_000;
/** Rows of one page of runs: two screens. */
export const PAGE_RUNS = 100;

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => call<Session>("GET", "/v1/session", { signal }),
  staleTime: Number.POSITIVE_INFINITY,
  retry: false,
});

export const attentionQuery = queryOptions({
  queryKey: ["attention"],
  queryFn: ({ signal }) => call<Attention>("GET", "/v1/attention", { signal }),
  refetchInterval: QUICK_MS,
});

export function statsQuery(rangeMs: number) {
  return queryOptions({
    queryKey: ["stats", rangeMs],
    queryFn: ({ signal }) => {
      const to = lastMinute();
      return call<Stats>("GET", "/v1/stats", { query: { from: to - rangeMs, to, step: stepOf(rangeMs) }, signal });
    },
    refetchInterval: SLOW_MS,
    placeholderData: (before) => before,
  });
}

/** What the minute before this one has brought is added up by now; a minute that goes on would look like a fall. */
function lastMinute(): number {
  return Math.floor((Date.now() - ADDED_UP_MS) / MINUTE_MS) * MINUTE_MS;
}

/** Some sixty to a hundred points, in whole minutes. */
function stepOf(rangeMs: number): number {
  return Math.max(1, Math.round(rangeMs / MINUTE_MS / 90)) * MINUTE_MS;
}

export function endpointStatsQuery(id: string, rangeMs: number) {
  return queryOptions({
    queryKey: ["endpoints", id, "stats", rangeMs],
    queryFn: ({ signal }) => {
      const to = lastMinute();
      const query = { from: to - rangeMs, to, step: stepOf(rangeMs) };
      return call<EndpointStatsSeries>("GET", `/v1/endpoints/${id}/stats`, { query, signal });
    },
    refetchInterval: SLOW_MS,
    placeholderData: (before) => before,
  });
}

/** Of all runs of the namespace, each status counted up to a bound. */
export const countsQuery = queryOptions({
  queryKey: ["runs", "counts"],
  queryFn: ({ signal }) => call<RunCounts>("GET", "/v1/runs/counts", { signal }),
  refetchInterval: QUICK_MS,
});

export function runsQuery(filter: Query) {
  return infiniteQueryOptions({
    queryKey: ["runs", "list", filter],
    queryFn: ({ pageParam, signal }) =>
      call<RunPage>("GET", "/v1/runs", { query: { ...filter, limit: PAGE_RUNS, cursor: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    // The stream tells what changes; asking for all pages again would move what somebody reads.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
}

export function runQuery(id: string) {
  return queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => call<Run>("GET", `/v1/runs/${id}`, { signal }),
    // The stream tells what changes, once. An answer that was on its way meanwhile would put the old state back.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** One page of a run's records, for a child's bars inside its parent's timeline. */
export function historyQuery(id: string, live: boolean) {
  return queryOptions({
    queryKey: ["run", id, "history"],
    queryFn: ({ signal }) => call<HistoryPage>("GET", `/v1/runs/${id}/history`, { query: { limit: 2_000 }, signal }),
    ...(live && { refetchInterval: QUICK_MS }),
  });
}

export function childrenQuery(parent: string) {
  return queryOptions({
    queryKey: ["run", parent, "children"],
    queryFn: ({ signal }) => call<RunPage>("GET", "/v1/runs", { query: { parent, limit: 500 }, signal }),
    refetchInterval: QUICK_MS,
  });
}

export function pushesQuery(id: string, live: boolean) {
  return queryOptions({
    queryKey: ["run", id, "pushes"],
    queryFn: ({ signal }) => call<RunPushList>("GET", `/v1/runs/${id}/pushes`, { signal }),
    ...(live && { refetchInterval: QUICK_MS }),
  });
}

export const workflowsQuery = queryOptions({
  queryKey: ["workflows"],
  queryFn: ({ signal }) => call<WorkflowList>("GET", "/v1/workflows", { signal }),
  refetchInterval: QUICK_MS,
});

export function workflowQuery(name: string, version: string) {
  return queryOptions({
    queryKey: ["workflows", name, version],
    queryFn: ({ signal }) =>
      call<WorkflowDetail>("GET", `/v1/workflows/${encodeURIComponent(name)}/${encodeURIComponent(version)}`, {
        signal,
      }),
    staleTime: SLOW_MS,
  });
}

export const endpointsQuery = queryOptions({
  queryKey: ["endpoints"],
  queryFn: ({ signal }) => call<{ endpoints: Endpoint[] }>("GET", "/v1/endpoints", { signal }),
  refetchInterval: QUICK_MS,
});

export function endpointQuery(id: string) {
  return queryOptions({
    queryKey: ["endpoints", id],
    queryFn: ({ signal }) => call<Endpoint>("GET", `/v1/endpoints/${id}`, { signal }),
    refetchInterval: QUICK_MS,
  });
}

export const schedulesQuery = infiniteQueryOptions({
  queryKey: ["schedules"],
  queryFn: ({ pageParam, signal }) =>
    call<SchedulePage>("GET", "/v1/schedules", { query: { limit: PAGE_RUNS, cursor: pageParam }, signal }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next,
  refetchInterval: QUICK_MS,
});

export function scheduleQuery(id: string) {
  return queryOptions({
    queryKey: ["schedules", id],
    queryFn: ({ signal }) => call<Schedule>("GET", `/v1/schedules/${id}`, { signal }),
    refetchInterval: QUICK_MS,
  });
}

export const keysQuery = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => call<{ keys: ApiKey[] }>("GET", "/v1/keys", { signal }),
});
