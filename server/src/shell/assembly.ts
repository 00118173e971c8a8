/** What speaks to endpoints, put together from what a host brings: the same on every host, whoever holds the runs. */

import type { Metrics } from "../api/metrics.js";
import type { Services } from "../api/services.js";
import { checkWith } from "../dispatch/check.js";
import { CheckpointTokens, type Mac } from "../dispatch/checkpoint-token.js";
import type { DeliveryOutcome } from "../dispatch/delivery.js";
import { type Describe, describeWith } from "../dispatch/describe.js";
import type { SigningKeys } from "../dispatch/keys.js";
import type { Observation } from "../dispatch/observation.js";
import { type Doubt, Pusher } from "../dispatch/push.js";
import { Registration, type RegistrationOptions } from "../dispatch/registration.js";
import { Endpoints, type EndpointsOptions } from "../dispatch/registry.js";
import { replayWith } from "../dispatch/replay.js";
import { Schemas } from "../dispatch/schemas.js";
import type { Seal } from "../dispatch/seal.js";
import { signedPost } from "../dispatch/signed-post.js";
import { realTimers as timers } from "../dispatch/timers.js";
import { validateWith } from "../dispatch/validate.js";
import type { Exchange } from "../egress/exchange.js";
import type { EgressPolicy } from "../egress/policy.js";
import type { Log } from "../log.js";
import type { Store } from "../store/port.js";

export interface Parts {
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
  readonly registrationsPerMinute: number;
  readonly log: Log;
}

/** What else depends on the host. */
export interface Wiring extends Pick<EndpointsOptions, "appeared" | "memory" | "makeSlots"> {
  readonly epoch: number;
  readonly metrics: Metrics;
  readonly observer: Pick<Observation, "pushed">;
  readonly recentRegistrations?: RegistrationOptions["recent"];
  readonly doubt: (endpointId: string, reason: Doubt) => void;
  /** Called after runs became due. */
  readonly woken: () => void;
}

export interface Assembly extends Pick<Services, "endpoints" | "schemas" | "registration" | "checkpoints"> {
  readonly describe: Describe;
  readonly delivery: Pusher;
}

/** Without a usable answer. */
const FAILED_PUSHES: ReadonlySet<DeliveryOutcome["type"]> = new Set(["failed", "busy", "not_served", "diverged"]);
/** A cold start may compile the whole application before it answers. */
const DESCRIBE_MS = 30_000;
/** All replays of a check, and one of them. */
const CHECK_MS = 45_000;
const REPLAY_MS = 20_000;
/** Somebody waits for the start of a run meanwhile. */
const VALIDATE_MS = 5_000;

export function assemble(parts: Parts, wiring: Wiring): Assembly {
  const { store, seal, signingKeys, exchange, policy, log } = parts;
  const { epoch, metrics, observer, doubt, woken, appeared, memory, makeSlots, recentRegistrations: recent } = wiring;
  const now = Date.now;
  const endpoints = new Endpoints({
    store,
    seal,
    log,
    ...(appeared && { appeared }),
    ...(memory && { memory }),
    ...(makeSlots && { makeSlots }),
  });
  const post = signedPost({ exchange, signer: () => signingKeys.signer(), issuer: parts.publicUrl, now });
  const describe = describeWith({ post, epoch, timeoutMs: DESCRIBE_MS });
  const changed = (endpointId: string) => doubt(endpointId, "changed");
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
    doubt,
    observe: (outcome, elapsedMs, { ns, id }) => {
      metrics.push(outcome.type === "failed" ? outcome.code : outcome.type, elapsedMs);
      observer.pushed(ns, id, FAILED_PUSHES.has(outcome.type), elapsedMs);
    },
  });
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
    perMinute: parts.registrationsPerMinute,
    ...(recent && { recent }),
  });
  return { endpoints, schemas, registration, describe, delivery, ...(checkpoints && { checkpoints }) };
}
