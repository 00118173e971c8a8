/** A client in the orchestrator's own process: the routes of runs, called without HTTP around them. */
import {
  AikiError,
  type MulticastResult,
  type Run,
  type RunPage,
  type StartRunOutcome,
  type StartRunResult,
  type WorkflowClient,
} from "@aikirun/protocol";
import { parsePart } from "./body.js";
import { controlRoutes } from "./control.js";
import { eventRoutes } from "./events.js";
import type { Route } from "./route.js";
import { runRoutes } from "./runs.js";
import type { Services } from "./services.js";

export interface InProcessOptions {
  readonly ns: string;
  /** Asked for at each call. */
  readonly services: () => Pick<Services, "store" | "dispatcher" | "leaseMs">;
  readonly newId: (prefix: "run" | "msg") => string;
  readonly waitForEnd: WorkflowClient["waitForEnd"];
}

const routes: readonly Route[] = [...runRoutes, ...controlRoutes, ...eventRoutes];

interface Message {
  /** Of the path. */
  readonly id?: string;
  readonly query?: unknown;
  readonly body?: unknown;
}

/** Checks, answers and rejects as over HTTP. */
export function inProcessClient({ ns, services, newId, waitForEnd }: InProcessOptions): WorkflowClient {
  async function send<Answer>(method: Route["method"], path: string, message: Message = {}): Promise<Answer> {
    const route = routes.find((one) => one.method === method && one.path === path);
    if (!route) throw new Error(`There is no route ${method} ${path}.`);
    const part = (name: "params" | "query" | "body", value: unknown) =>
      route[name] ? parsePart(route[name], wireCopy(value), name === "params" ? "path" : name) : undefined;
    const call = {
      params: part("params", { id: message.id }),
      query: part("query", message.query ?? {}),
      body: part("body", message.body ?? {}),
      caller: { ns, scope: "write", everywhere: false } as const,
      claims: undefined,
      header: () => undefined,
      allowed: async () => true,
      signal: () => new AbortController().signal,
      gone: () => new AbortController().signal,
    };
    // The routes of runs work with nothing else.
    const reply = await route.handle(call, { ...services(), schemas: CHECKED_BY_THE_CALLER } as Services);
    return wireCopy("body" in reply ? reply.body : undefined) as Answer;
  }

  const startRun: WorkflowClient["startRun"] = (body) =>
    send<StartRunResult>("POST", "/v1/runs", { body: { ...body, id: body.id ?? newId("run") } });
  const getRun: WorkflowClient["getRun"] = (id) => send<Run>("GET", "/v1/runs/:id", { id });
  const control = (id: string, verb: string, body: object = {}) =>
    send<void>("POST", `/v1/runs/:id/${verb}`, { id, body: { id: newId("msg"), ...body } });

  return {
    startRun,
    startRuns: (bodies) => Promise.all(bodies.map((body) => outcomeOf(startRun(body)))),
    getRun,
    async findRun(by) {
      const [found] = (await send<RunPage>("GET", "/v1/runs", { query: { ...by, limit: 1 } })).runs;
      if (found) return getRun(found.id);
      const subject = `${by.workflow}@${by.version}`;
      throw new AikiError("NOT_FOUND", `No run of ${subject} has the reference id "${by.reference}".`, { details: by });
    },
    waitForEnd,
    sendEvent: (id, body) =>
      send("POST", "/v1/runs/:id/events", { id, body: { ...body, id: body.id ?? newId("msg") } }),
    multicastEvent: (body) =>
      send<MulticastResult>("POST", "/v1/events", { body: { ...body, id: body.id ?? newId("msg") } }),
    async cancelRun(id, body) {
      await control(id, "cancel", body).catch((error: unknown) => {
        if (!(error instanceof AikiError && error.code === "RUN_ENDED")) throw error;
      });
    },
    pauseRun: (id) => control(id, "pause"),
    resumeRun: (id) => control(id, "resume"),
    wakeupRun: (id) => control(id, "wakeup"),
    requeueRun: (id) => control(id, "requeue"),
    retryRun: (id, options = {}) => control(id, "retry", options),
    activateSchedule: noSchedules,
    pauseSchedule: noSchedules,
    resumeSchedule: noSchedules,
    triggerSchedule: noSchedules,
    deleteSchedule: noSchedules,
  };
}

/** Typed calls check what they send by the schemas themselves. */
const CHECKED_BY_THE_CALLER: Services["schemas"] = {
  checkInput: async () => {},
  checkEvent: async () => {},
  coverEvent: () => false,
};

async function noSchedules(): Promise<never> {
  throw new AikiError("INVALID_ARGUMENT", "Nothing fires schedules here. Start the run that the schedule would start.");
}

async function outcomeOf(starting: Promise<StartRunResult>): Promise<StartRunOutcome> {
  try {
    const { run, existing } = await starting;
    return { outcome: existing ? "existing" : "created", run };
  } catch (error) {
    if (!(error instanceof AikiError)) throw error;
    return { outcome: "error", error };
  }
}

/** What JSON makes of a value, and no object of the caller's or of the store's. */
function wireCopy(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
