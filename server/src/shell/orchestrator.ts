/** Puts an orchestrator together from what a runtime brings: a store, a way to speak HTTP, a signer, a seal. */
import type { Hono } from "hono";
import { type AppOptions, createApp } from "../api/app.js";
import { type Guard, loopbackOnly } from "../api/guard.js";
import { authenticateWith, everyone } from "../api/keys.js";
import { Metrics } from "../api/metrics.js";
import { type Assets, Pages } from "../api/pages.js";
import type { Services } from "../api/services.js";
import { FailedSignIns, Sessions } from "../api/sessions.js";
import { checkWith } from "../dispatch/check.js";
import { CheckpointTokens, type Mac } from "../dispatch/checkpoint-token.js";
import type { DeliveryOutcome } from "../dispatch/delivery.js";
import { describeWith } from "../dispatch/describe.js";
import { Dispatcher } from "../dispatch/dispatcher.js";
import { Health } from "../dispatch/health.js";
import type { SigningKeys } from "../dispatch/keys.js";
import { Observation } from "../dispatch/observation.js";
import { Pusher } from "../dispatch/push.js";
import { Registration } from "../dispatch/registration.js";
import { Endpoints } from "../dispatch/registry.js";
import { replayWith } from "../dispatch/replay.js";
import { Schedules } from "../dispatch/schedules.js";
import { Schemas } from "../dispatch/schemas.js";
import type { Seal } from "../dispatch/seal.js";
import { DISPATCH_DEFAULTS, type DispatchSettings } from "../dispatch/settings.js";
import { signedPost } from "../dispatch/signed-post.js";
import { realTimers as timers } from "../dispatch/timers.js";
import { validateWith } from "../dispatch/validate.js";
import type { Exchange } from "../egress/exchange.js";
import type { EgressPolicy } from "../egress/policy.js";
import type { Log } from "../log.js";
import { type Store, StoreUnavailable } from "../store/port.js";
import { every } from "./every.js";

export interface OrchestratorParts {
  readonly store: Store;
  readonly seal: Seal;
  readonly signingKeys: SigningKeys;
  readonly exchange: Exchange;
  readonly policy: EgressPolicy;
  /** How this server is reached; known once it listens. */
  readonly publicUrl: () => string;
  /** Makes checkpoint tokens. Absent: every invocation ends with its step. */
  readonly checkpointMac: Mac | undefined;
  /** Whether endpoints can be told where checkpoints go. Workers know by themselves. */
  readonly reachableByEndpoints: boolean;
  /** Absent: every caller may do everything, and only this machine may call. */
  readonly auth: { readonly adminKey: string | undefined } | undefined;
  readonly dispatch: Partial<DispatchSettings>;
  readonly registrationsPerMinute: number;
  readonly version: string;
  readonly self?: Services["self"];
  /** The dashboard's files, when they were built. */
  readonly assets?: Assets | undefined;
  /** Where a request came from: for limits by address. */
  readonly addressOf?: AppOptions["addressOf"];
  readonly log: Log;
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
/** Without a usable answer. */
const FAILED_PUSHES: ReadonlySet<DeliveryOutcome["type"]> = new Set(["failed", "busy", "not_served", "diverged"]);
/** A cold start may compile the whole application before it answers. */
const DESCRIBE_MS = 30_000;
/** All replays of a check, and one of them. */
const CHECK_MS = 45_000;
const REPLAY_MS = 20_000;
/** Somebody waits for the start of a run meanwhile. */
const VALIDATE_MS = 5_000;
const PROBE_MOST_MS = 30_000;
const PROBE_MOST_DEV_MS = 2_000;

export async function orchestrator(parts: OrchestratorParts): Promise<Orchestrator> {
  const { store, seal, signingKeys, exchange, policy, log } = parts;
  const now = Date.now;
  const dev = parts.auth === undefined;
  const metrics = new Metrics();
  const observation = new Observation(store);
  const woken = () => dispatcher.wake();
  const endpoints = new Endpoints({
    store,
    seal,
    log,
    appeared: (ns, versions) => {
      const wake = () => void store.wakeUnserved(ns, versions).then(woken, () => {});
      wake();
      // Once more for a run that was being parked meanwhile, because it was looked up just before the news came.
      setTimeout(wake, WAKE_AGAIN_MS).unref();
    },
  });
  const post = signedPost({ exchange, signer: () => signingKeys.signer(), issuer: parts.publicUrl, now });
  const epoch = await store.epoch();
  const describe = describeWith({ post, epoch, timeoutMs: DESCRIBE_MS });
  const probeMaxMs = dev ? PROBE_MOST_DEV_MS : PROBE_MOST_MS;
  const health = new Health({ store, endpoints, describe, woken, log, now, probeMaxMs });
  const changed = (endpointId: string) => health.doubt(endpointId, "changed");
  const schemas = new Schemas({ endpoints, ask: validateWith({ post, epoch, timeoutMs: VALIDATE_MS, changed }) });
  const checkpoints =
    parts.checkpointMac && new CheckpointTokens({ mac: parts.checkpointMac, issuer: parts.publicUrl, now });
  const reachable = parts.reachableByEndpoints ? checkpoints : undefined;
  const replay = replayWith({ store, post, checkpoints: reachable, timers, epoch, timeoutMs: REPLAY_MS });
  const check = checkWith({ store, replay, timers, timeoutMs: CHECK_MS });
  const delivery = new Pusher({
    endpoints,
    post,
    ...(checkpoints && { workerCheckpoints: checkpoints }),
    ...(reachable && { checkpoints: reachable }),
    doubt: (endpointId, reason) => health.doubt(endpointId, reason),
    observe: (outcome, elapsedMs, { ns, id }) => {
      metrics.push(outcome.type === "failed" ? outcome.code : outcome.type, elapsedMs);
      observation.pushed(ns, id, FAILED_PUSHES.has(outcome.type), elapsedMs);
    },
  });
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
  const perMinute = parts.registrationsPerMinute;
  const registration = new Registration({
    store,
    endpoints,
    describe,
    check,
    seal,
    policy,
    woken,
    log,
    now,
    perMinute,
  });
  const stopping = new AbortController();
  const sessions = new Sessions(seal, now);
  const authenticate = parts.auth
    ? authenticateWith({ store, adminKey: parts.auth.adminKey, sessions, now })
    : everyone;
  const services: Services = {
    store,
    dispatcher,
    schedules,
    endpoints,
    schemas,
    registration,
    signingKeys,
    ...(parts.auth && { signIn: { sessions, failures: new FailedSignIns(now), authenticate } }),
    ...(checkpoints && { checkpoints }),
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
      tasks.push(every(FLUSH_PUSHES_MS, () => observation.flushPushes(), failed("pushes")));
      tasks.push(every(FLUSH_COUNTS_MS, () => observation.flushCounts(), failed("statistics")));
    },
    async stop(graceMs) {
      for (const cancel of tasks) cancel();
      stopping.abort();
      health.stop();
      await schedules.stop();
      await dispatcher.stop(graceMs);
      await Promise.allSettled([observation.flushPushes(), observation.flushCounts()]);
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
