/** Puts an orchestrator together from what a runtime brings: a store, a way to speak HTTP, a signer, a seal. */
import type { Hono } from "hono";
import { type AppOptions, createApp } from "../api/app.js";
import { type Guard, loopbackOnly } from "../api/guard.js";
import { authenticateWith, everyone } from "../api/keys.js";
import { Metrics } from "../api/metrics.js";
import { type Assets, Pages } from "../api/pages.js";
import type { Services } from "../api/services.js";
import { FailedSignIns, Sessions } from "../api/sessions.js";
import { Dispatcher } from "../dispatch/dispatcher.js";
import { Health } from "../dispatch/health.js";
import { Observation } from "../dispatch/observation.js";
import { Schedules } from "../dispatch/schedules.js";
import { DISPATCH_DEFAULTS, type DispatchSettings } from "../dispatch/settings.js";
import { StoreUnavailable } from "../store/port.js";
import { assemble, type Parts } from "./assembly.js";
import { every } from "./every.js";

export interface OrchestratorParts extends Parts {
  /** Absent: every caller may do everything, and only this machine may call. */
  readonly auth: { readonly adminKey: string | undefined } | undefined;
  readonly dispatch: Partial<DispatchSettings>;
  readonly version: string;
  readonly self?: Services["self"];
  /** The dashboard's files, when they were built. */
  readonly assets?: Assets | undefined;
  /** Where a request came from: for limits by address. */
  readonly addressOf?: AppOptions["addressOf"];
}

export interface Orchestrator {
  readonly app: Hono;
  readonly dispatcher: Dispatcher;
  start(): Promise<void>;
  /** Long polls answer at once; pushes under way may end for up to `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

const REFRESH_ENDPOINTS_MS = 3_000;
const REFRESH_KEYS_MS = 30_000;
const WAKE_AGAIN_MS = 1_000;
const FLUSH_PUSHES_MS = 500;
/** What happened longer ago than this is on every page. */
const FLUSH_COUNTS_MS = 10_000;
const PROBE_MOST_MS = 30_000;
const PROBE_MOST_DEV_MS = 2_000;

export async function orchestrator(parts: OrchestratorParts): Promise<Orchestrator> {
  const { store, seal, signingKeys, log } = parts;
  const now = Date.now;
  const dev = parts.auth === undefined;
  const metrics = new Metrics();
  const observation = new Observation(() => store.now().latest);
  const woken = () => dispatcher.wake();
  const { endpoints, describe, delivery, ...assembled } = assemble(parts, {
    epoch: await store.epoch(),
    metrics,
    observer: observation,
    woken,
    doubt: (endpointId, reason) => health.doubt(endpointId, reason),
    appeared: (ns, versions) => {
      const wake = () => void store.wakeUnserved(ns, versions).then(woken, () => {});
      wake();
      // Once more for a run that was being parked meanwhile, because it was looked up just before the news came.
      setTimeout(wake, WAKE_AGAIN_MS).unref();
    },
  });
  const probeMaxMs = dev ? PROBE_MOST_DEV_MS : PROBE_MOST_MS;
  const health = new Health({ store, endpoints, describe, woken, log, now, probeMaxMs });
  const dispatcher = new Dispatcher({
    store,
    delivery,
    observer: observation,
    settings: parts.dispatch,
    onError: (error, runId) => log.error("a run could not be advanced", { run: runId, reason: textOf(error) }),
  });
  const schedules = new Schedules({
    store,
    settings: parts.dispatch,
    fired: ({ ns, runIds, cancels }) => {
      observation.started(ns, runIds.length);
      dispatcher.wake({ ns, runIds });
      if (cancels !== undefined) dispatcher.cancelSent(ns, cancels);
    },
    onError: (error, schedule) => log.error("a schedule could not be fired", { schedule, reason: textOf(error) }),
  });
  metrics.gauge("aiki_runs_held", () => dispatcher.held);
  const stopping = new AbortController();
  const sessions = new Sessions(seal, now);
  const authenticate = parts.auth
    ? authenticateWith({ store, adminKey: parts.auth.adminKey, sessions, now })
    : everyone;
  const services: Services = {
    store,
    dispatcher,
    schedules,
    ...assembled,
    endpoints,
    signingKeys,
    ...(parts.auth && { signIn: { sessions, failures: new FailedSignIns(now), authenticate } }),
    metrics,
    observer: observation,
    leaseMs: parts.dispatch.leaseMs ?? DISPATCH_DEFAULTS.leaseMs,
    version: parts.version,
    ...(parts.self && { self: parts.self }),
    now,
  };
  const guard: { guard?: Guard } = dev ? { guard: loopbackOnly } : {};
  const app = createApp({
    services,
    authenticate,
    ...guard,
    ...(parts.addressOf && { addressOf: parts.addressOf }),
    ...(parts.assets && { pages: new Pages(parts.assets) }),
    log,
    stopping: stopping.signal,
  });

  const readEndpoints = async () => {
    await endpoints.refresh();
    health.watch();
  };
  const tasks: (() => void)[] = [];
  return {
    app,
    dispatcher,
    async start() {
      await readEndpoints();
      dispatcher.start();
      schedules.start();
      const failed = (what: string) => (error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          log.warn(`${what} could not be brought up to date`, { reason: textOf(error) });
      };
      tasks.push(every(REFRESH_ENDPOINTS_MS, readEndpoints, failed("the endpoints")));
      tasks.push(every(REFRESH_KEYS_MS, () => signingKeys.refresh(), failed("the signing keys")));
      tasks.push(every(FLUSH_PUSHES_MS, () => observation.flushPushes(store), failed("pushes")));
      tasks.push(every(FLUSH_COUNTS_MS, () => observation.flushCounts(store), failed("statistics")));
    },
    async stop(graceMs) {
      for (const cancel of tasks) cancel();
      stopping.abort();
      health.stop();
      await schedules.stop();
      await dispatcher.stop(graceMs);
      await Promise.allSettled([observation.flushPushes(store), observation.flushCounts(store)]);
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
