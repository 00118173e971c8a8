import type {
  ActivateScheduleResult,
  ApiKey,
  Attention,
  BulkBody,
  BulkResult,
  CheckEndpointBody,
  CheckResult,
  CreatedKey,
  CreateKeyBody,
  Endpoint,
  EndpointStatsSeries,
  HistoryPage,
  ListRunsQuery,
  ListSchedulesQuery,
  RegisterEndpointBody,
  RunCounts,
  RunPage,
  RunPush,
  RunPushList,
  Schedule,
  SchedulePage,
  Stats,
  StatsQuery,
  WorkerClient,
  WorkflowClient,
  WorkflowDetail,
  WorkflowList,
} from "@aikirun/protocol";
import { AikiError, LIMITS, newId } from "@aikirun/protocol/canonical";
import { httpSend } from "@aikirun/protocol/http";
import { jsonOrThrow } from "./payload.js";
import { WAIT_RETRY } from "./retry.js";
import { type ClientOptions, resolveSettings } from "./settings.js";
import { startRuns } from "./start-runs.js";
import { type Transport, transport } from "./transport.js";
import { waitForEnd } from "./wait-for-end.js";

/**
 * The orchestrator's HTTP API, typed. Ids of runs and events are made here, so that a request that is sent again
 * after a lost answer is the same request. Every call rejects with an `AikiError`; its `code` says what happened.
 */
export interface Client extends WorkflowClient, WorkerClient {
  /** Newest first; `next` goes into `cursor` to read on. */
  listRuns(query?: ListRunsQuery): Promise<RunPage>;
  /** Records after record `after`, oldest first; `next` is there when more may follow. */
  readHistory(runId: string, query?: { after?: number; limit?: number }): Promise<HistoryPage>;
  /** The last pushes of a run that are over, newest first: to whom, how long it took, what came of it. */
  listPushes(runId: string): Promise<RunPush[]>;
  /** How many runs there are of each status, up to `LIMITS.countedRuns`. */
  countRuns(): Promise<RunCounts["counts"]>;
  /** Throughput, failures, latency and backlog over time; of the last hour unless it says otherwise. */
  readStats(query?: StatsQuery): Promise<Stats>;
  /** Pushes to one endpoint over time. */
  readEndpointStats(endpointId: string, query?: StatsQuery): Promise<EndpointStatsSeries>;
  /** Stalled runs, endpoints in trouble, versions that runs wait for and nobody serves. */
  readAttention(): Promise<Attention>;
  /**
   * Cancels the live runs of a filter and their children, newest first, at most `limit` (`LIMITS.bulkRuns`). `next` goes
   * into `cursor` to go on. Takes effect at each run's next commit.
   */
  cancelRuns(body: BulkBody): Promise<BulkResult>;
  /** The same for the stalled runs of a filter, which go on. */
  requeueRuns(body: Omit<BulkBody, "reason">): Promise<BulkResult>;
  /** The same for the failed runs of a filter, which are opened again as by `retryRun`. */
  retryRuns(body: Omit<BulkBody, "reason">): Promise<BulkResult>;
  /** Newest first; `next` goes into `cursor` to read on. */
  listSchedules(query?: ListSchedulesQuery): Promise<SchedulePage>;
  getSchedule(scheduleId: string): Promise<Schedule>;
  /** Workflow versions, who serves each, and how many of its runs have not ended. */
  listWorkflows(): Promise<WorkflowList["workflows"]>;
  /** One version, with the JSON Schemas of what it takes. Rejects with `NOT_FOUND`. */
  getWorkflow(workflow: string, version: string): Promise<WorkflowDetail>;
  /**
   * Rejects with `VERSION_OWNED` when another endpoint serves one of its versions and `takeOver` is not set, and with
   * `check` with `WOULD_DIVERGE` when a run in flight would stop; `details.check` is then what `checkEndpoint` gives.
   */
  registerEndpoint(body: RegisterEndpointBody): Promise<Endpoint>;
  /** Replays runs in flight against the code at a URL. No task runs and nothing changes. */
  checkEndpoint(body: CheckEndpointBody): Promise<CheckResult>;
  listEndpoints(): Promise<Endpoint[]>;
  getEndpoint(endpointId: string): Promise<Endpoint>;
  /** Asks the endpoint again what it serves. */
  refreshEndpoint(endpointId: string): Promise<Endpoint>;
  removeEndpoint(endpointId: string): Promise<void>;
  createKey(body: CreateKeyBody): Promise<CreatedKey>;
  listKeys(): Promise<ApiKey[]>;
  revokeKey(keyId: string): Promise<void>;
  /** Public halves of the keys that sign pushes, as JSON Web Keys (RFC 7517). */
  publicKeys(): Promise<Readonly<Record<string, unknown>>[]>;
}

/** A client of one orchestrator. Does no I/O until its first request. */
export function client(options: ClientOptions = {}): Client {
  const send = transport(options);
  return { ...runs(send), ...numbers(send), ...schedules(send), ...endpoints(send), ...keys(send), ...work(options) };
}

type ScheduleCalls =
  | "activateSchedule"
  | "listSchedules"
  | "getSchedule"
  | "pauseSchedule"
  | "resumeSchedule"
  | "triggerSchedule"
  | "deleteSchedule";
type RunCalls =
  | Exclude<keyof WorkflowClient, ScheduleCalls>
  | "cancelRuns"
  | "requeueRuns"
  | "retryRuns"
  | "listRuns"
  | "listPushes"
  | "readHistory"
  | "listWorkflows"
  | "getWorkflow";

function runs(send: Transport): Pick<Client, RunCalls> {
  return {
    async startRun(body) {
      const input = jsonOrThrow(body.input, `The input of ${body.workflow}`);
      return send({ method: "POST", path: "/v1/runs", body: { ...body, id: body.id ?? newId("run"), input } });
    },
    startRuns: (bodies) => startRuns(send, bodies),
    getRun: (runId) => send({ method: "GET", path: path("runs", runId) }),
    async findRun(query) {
      const page = await send<RunPage>({ method: "GET", path: "/v1/runs", query: { ...query, limit: 1 } });
      const found = page.runs[0];
      if (found) return send({ method: "GET", path: path("runs", found.id) });
      const { workflow, version, reference, parent } = query;
      const whose = parent === undefined ? "No run" : `No child of ${parent}`;
      throw new AikiError("NOT_FOUND", `${whose} of ${workflow}@${version} has the reference id "${reference}".`, {
        details: query,
      });
    },
    listRuns: (query = {}) => send({ method: "GET", path: "/v1/runs", query }),
    listPushes: async (runId) =>
      (await send<RunPushList>({ method: "GET", path: path("runs", runId, "pushes") })).pushes,
    readHistory: (runId, query = {}) => send({ method: "GET", path: path("runs", runId, "history"), query }),
    waitForEnd(runId, options) {
      const { maxAttempts } = WAIT_RETRY;
      const poll = (timeoutMs: number, signal: AbortSignal | undefined) => {
        const query = { timeoutMs };
        return send<never>({
          method: "GET",
          path: path("runs", runId, "wait"),
          query,
          signal,
          holdMs: timeoutMs,
          maxAttempts,
        });
      };
      return waitForEnd(poll, options);
    },
    async cancelRun(runId, { reason }) {
      const body = { id: newId("msg"), reason };
      try {
        await send({ method: "POST", path: path("runs", runId, "cancel"), body });
      } catch (error) {
        // It ended, perhaps by this very cancel, whose first answer was lost. Either way there is nothing left to do.
        if (!(error instanceof AikiError && error.code === "RUN_ENDED")) throw error;
      }
    },
    pauseRun: (runId) => control(send, runId, "pause"),
    resumeRun: (runId) => control(send, runId, "resume"),
    wakeupRun: (runId) => control(send, runId, "wakeup"),
    requeueRun: (runId) => control(send, runId, "requeue"),
    retryRun: (runId, { id } = {}) => control(send, runId, "retry", id),
    cancelRuns: (body) => send({ method: "POST", path: "/v1/runs/cancel", body: withMessageId(body) }),
    requeueRuns: (body) => send({ method: "POST", path: "/v1/runs/requeue", body: withMessageId(body) }),
    retryRuns: (body) => send({ method: "POST", path: "/v1/runs/retry", body: withMessageId(body) }),
    sendEvent: async (runId, body) =>
      send({ method: "POST", path: path("runs", runId, "events"), body: withEventId(body) }),
    multicastEvent: async (body) => send({ method: "POST", path: "/v1/events", body: withEventId(body) }),
    getWorkflow: (workflow, version) => send({ method: "GET", path: path("workflows", workflow, version) }),
    listWorkflows: async () => (await send<WorkflowList>({ method: "GET", path: "/v1/workflows" })).workflows,
  };
}

function schedules(send: Transport): Pick<Client, ScheduleCalls> {
  return {
    async activateSchedule(body) {
      const input = jsonOrThrow(body.input, `The input of ${body.workflow}`);
      return send<ActivateScheduleResult>({ method: "POST", path: "/v1/schedules", body: { ...body, input } });
    },
    listSchedules: (query = {}) => send({ method: "GET", path: "/v1/schedules", query }),
    getSchedule: (scheduleId) => send({ method: "GET", path: path("schedules", scheduleId) }),
    pauseSchedule: (scheduleId) => send({ method: "POST", path: path("schedules", scheduleId, "pause"), body: {} }),
    resumeSchedule: (scheduleId) => send({ method: "POST", path: path("schedules", scheduleId, "resume"), body: {} }),
    triggerSchedule: (scheduleId) =>
      send({ method: "POST", path: path("schedules", scheduleId, "trigger"), body: { id: newId("run") } }),
    async deleteSchedule(scheduleId) {
      await send({ method: "DELETE", path: path("schedules", scheduleId) });
    },
  };
}

type NumberCalls = "countRuns" | "readStats" | "readEndpointStats" | "readAttention";

function numbers(send: Transport): Pick<Client, NumberCalls> {
  return {
    countRuns: async () => (await send<RunCounts>({ method: "GET", path: "/v1/runs/counts" })).counts,
    readStats: (query = {}) => send({ method: "GET", path: "/v1/stats", query }),
    readEndpointStats: (endpointId, query = {}) =>
      send({ method: "GET", path: path("endpoints", endpointId, "stats"), query }),
    readAttention: () => send({ method: "GET", path: "/v1/attention" }),
  };
}

type EndpointCalls =
  | "registerEndpoint"
  | "checkEndpoint"
  | "listEndpoints"
  | "getEndpoint"
  | "refreshEndpoint"
  | "removeEndpoint";

/** How long the orchestrator may take for the describe and the replays of a check, on top of the ordinary time limit. */
const CHECK_MS = 75_000;
async function control(send: Transport, runId: string, verb: string, id?: string): Promise<void> {
  await send({ method: "POST", path: path("runs", runId, verb), body: withMessageId({ id }) });
}

function endpoints(send: Transport): Pick<Client, EndpointCalls> {
  return {
    registerEndpoint: (body) =>
      send({ method: "POST", path: "/v1/endpoints", body, holdMs: body.check ? CHECK_MS : undefined }),
    checkEndpoint: (body) => send({ method: "POST", path: "/v1/endpoints/check", body, holdMs: CHECK_MS }),
    listEndpoints: async () =>
      (await send<{ endpoints: Endpoint[] }>({ method: "GET", path: "/v1/endpoints" })).endpoints,
    getEndpoint: (endpointId) => send({ method: "GET", path: path("endpoints", endpointId) }),
    refreshEndpoint: (endpointId) => send({ method: "POST", path: path("endpoints", endpointId, "refresh"), body: {} }),
    async removeEndpoint(endpointId) {
      await send({ method: "DELETE", path: path("endpoints", endpointId) });
    },
  };
}

function keys(send: Transport): Pick<Client, "createKey" | "listKeys" | "revokeKey" | "publicKeys"> {
  return {
    // Sent once: a second key whose secret nobody saw would stay valid.
    createKey: (body) => send({ method: "POST", path: "/v1/keys", body, maxAttempts: 1 }),
    listKeys: async () => (await send<{ keys: ApiKey[] }>({ method: "GET", path: "/v1/keys" })).keys,
    async revokeKey(keyId) {
      await send({ method: "DELETE", path: path("keys", keyId) });
    },
    publicKeys: async () =>
      (await send<{ keys: Record<string, unknown>[] }>({ method: "GET", path: "/.well-known/jwks.json" })).keys,
  };
}

function work(options: ClientOptions): WorkerClient {
  // Connections of its own, made when there is a worker: an answer must not queue behind whatever else this process
  // waits for.
  let own: Transport | undefined;
  const send: Transport = (request) => {
    own ??= transport(options, httpSend);
    return own(request);
  };
  const path = (verb: string) => `/v1/workers/${verb}`;
  return {
    orchestratorUrl: () => resolveSettings(options).url,
    pollWork: (body, { signal }) => {
      const holdMs = body.waitMs ?? LIMITS.pollMs;
      return send({ method: "POST", path: path("poll"), body, signal, holdMs, maxAttempts: 1 });
    },
    extendWork: (body) => send({ method: "POST", path: path("extend"), body, maxAttempts: 1 }),
    answerWork: (body) => send({ method: "POST", path: path("answer"), body, maxAttempts: 1 }),
  };
}

function withEventId<Body extends { id?: string | undefined; name: string; data?: unknown }>(body: Body): Body {
  return withMessageId({ ...body, data: jsonOrThrow(body.data, `The data of event ${body.name}`) });
}

/** Sent again after a lost answer, it is the same message. */
function withMessageId<Body extends { id?: string | undefined }>(body: Body): Body {
  return { ...body, id: body.id ?? newId("msg") };
}

function path(...parts: readonly string[]): string {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}
