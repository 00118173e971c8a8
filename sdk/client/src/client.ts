import type {
  ApiKey,
  CreateKeyBody,
  CreatedKey,
  Endpoint,
  HistoryPage,
  ListRunsQuery,
  MulticastBody,
  MulticastResult,
  RegisterEndpointBody,
  Run,
  RunPage,
  SendEventBody,
  StartRunBody,
  StartRunResult,
  TerminalStatus,
  WaitResult,
  WorkflowList,
} from "@aikirun/protocol";
import { newId } from "@aikirun/protocol/canonical";
import { jsonOrThrow } from "./payload.js";
import { WAIT_RETRY } from "./retry.js";
import type { ClientOptions } from "./settings.js";
import { type Transport, transport } from "./transport.js";
import { type WaitFailure, type WaitForStatusOptions, type WaitSuccess, waitForStatus } from "./wait-for-status.js";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The orchestrator's HTTP API, typed. Ids of runs and events are made here, so that a request that is sent again
 * after a lost answer is the same request. Every call throws `AikiError`; its `code` says what happened.
 */
export interface Client {
  readonly runs: RunsApi;
  readonly endpoints: EndpointsApi;
  readonly keys: KeysApi;
  /** Workflow versions, who serves each, and how many of its runs have not ended. */
  workflows(options?: CallOptions): Promise<WorkflowList["workflows"]>;
  /** The same event to up to 1,000 runs, with an outcome for each. */
  multicast(body: MulticastBody, options?: CallOptions): Promise<MulticastResult["outcomes"]>;
  /** Public halves of the keys that sign pushes, as JSON Web Keys (RFC 7517). */
  publicKeys(options?: CallOptions): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export interface RunsApi {
  start(body: StartRunBody, options?: CallOptions): Promise<StartRunResult>;
  get(runId: string, options?: CallOptions): Promise<Run>;
  list(query?: ListRunsQuery, options?: CallOptions): Promise<RunPage>;
  /** Records after record `after`, oldest first; `next` is there when more may follow. */
  history(runId: string, query?: { after?: number; limit?: number }, options?: CallOptions): Promise<HistoryPage>;
  /** One long poll: answers when the run ended, or after `timeoutMs` (at most 60,000). */
  wait(runId: string, query: { status?: TerminalStatus; timeoutMs: number }, options?: CallOptions): Promise<WaitResult>;
  /** Waits for as long as it takes, by one long poll after the other. */
  waitForStatus(runId: string, status: TerminalStatus, options?: WaitForStatusOptions): Promise<WaitSuccess | WaitFailure>;
  cancel(runId: string, reason?: string, options?: CallOptions): Promise<void>;
  sendEvent(runId: string, body: SendEventBody, options?: CallOptions): Promise<{ duplicate: boolean }>;
}

export interface EndpointsApi {
  /** Throws `VERSION_OWNED` when another endpoint serves one of its versions and `takeOver` is not set. */
  register(body: RegisterEndpointBody, options?: CallOptions): Promise<Endpoint>;
  list(options?: CallOptions): Promise<Endpoint[]>;
  get(endpointId: string, options?: CallOptions): Promise<Endpoint>;
  refresh(endpointId: string, options?: CallOptions): Promise<Endpoint>;
  remove(endpointId: string, options?: CallOptions): Promise<void>;
}

export interface KeysApi {
  create(body: CreateKeyBody, options?: CallOptions): Promise<CreatedKey>;
  list(options?: CallOptions): Promise<ApiKey[]>;
  revoke(keyId: string, options?: CallOptions): Promise<void>;
}

/** A client of one orchestrator. Does no I/O until its first request. */
export function client(options: ClientOptions = {}): Client {
  const send = transport(options);
  return {
    runs: runsApi(send),
    endpoints: endpointsApi(send),
    keys: keysApi(send),
    async workflows({ signal } = {}) {
      return (await send<WorkflowList>({ method: "GET", path: "/v1/workflows", signal })).workflows;
    },
    async multicast(body, { signal } = {}) {
      const event = withEventId(body);
      return (await send<MulticastResult>({ method: "POST", path: "/v1/events", body: event, signal })).outcomes;
    },
    async publicKeys({ signal } = {}) {
      return (await send<{ keys: Record<string, unknown>[] }>({ method: "GET", path: "/.well-known/jwks.json", signal })).keys;
    },
  };
}

function runsApi(send: Transport): RunsApi {
  const wait: RunsApi["wait"] = (runId, query, { signal } = {}) => {
    const holdMs = query.timeoutMs;
    const { maxAttempts } = WAIT_RETRY;
    return send({ method: "GET", path: path("runs", runId, "wait"), query, signal, holdMs, maxAttempts });
  };
  return {
    wait,
    waitForStatus(runId, status, options = {}) {
      return waitForStatus(wait, runId, status, options);
    },
    async start(body, { signal } = {}) {
      const run = { ...body, id: body.id ?? newId("run"), input: jsonOrThrow(body.input, `The input of ${body.workflow}`) };
      return send({ method: "POST", path: "/v1/runs", body: run, signal });
    },
    get(runId, { signal } = {}) {
      return send({ method: "GET", path: path("runs", runId), signal });
    },
    list(query = {}, { signal } = {}) {
      return send({ method: "GET", path: "/v1/runs", query, signal });
    },
    history(runId, query = {}, { signal } = {}) {
      return send({ method: "GET", path: path("runs", runId, "history"), query, signal });
    },
    async cancel(runId, reason, { signal } = {}) {
      const body = { id: newId("msg"), reason };
      await send({ method: "POST", path: path("runs", runId, "cancel"), body, signal });
    },
    async sendEvent(runId, body, { signal } = {}) {
      return send({ method: "POST", path: path("runs", runId, "events"), body: withEventId(body), signal });
    },
  };
}

function endpointsApi(send: Transport): EndpointsApi {
  return {
    register(body, { signal } = {}) {
      return send({ method: "POST", path: "/v1/endpoints", body, signal });
    },
    async list({ signal } = {}) {
      return (await send<{ endpoints: Endpoint[] }>({ method: "GET", path: "/v1/endpoints", signal })).endpoints;
    },
    get(endpointId, { signal } = {}) {
      return send({ method: "GET", path: path("endpoints", endpointId), signal });
    },
    refresh(endpointId, { signal } = {}) {
      return send({ method: "POST", path: path("endpoints", endpointId, "refresh"), body: {}, signal });
    },
    async remove(endpointId, { signal } = {}) {
      await send({ method: "DELETE", path: path("endpoints", endpointId), signal });
    },
  };
}

function keysApi(send: Transport): KeysApi {
  return {
    create(body, { signal } = {}) {
      // Sent once: a second key whose secret nobody saw would stay valid.
      return send({ method: "POST", path: "/v1/keys", body, signal, maxAttempts: 1 });
    },
    async list({ signal } = {}) {
      return (await send<{ keys: ApiKey[] }>({ method: "GET", path: "/v1/keys", signal })).keys;
    },
    async revoke(keyId, { signal } = {}) {
      await send({ method: "DELETE", path: path("keys", keyId), signal });
    },
  };
}

function withEventId<Body extends { id?: string | undefined; name: string; data?: unknown }>(body: Body): Body {
  return { ...body, id: body.id ?? newId("msg"), data: jsonOrThrow(body.data, `The data of event ${body.name}`) };
}

function path(...parts: readonly string[]): string {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}
