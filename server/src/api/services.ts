/** What the routes work with. */
import type { CheckpointTokens } from "../dispatch/checkpoint-token.js";
import type { Dispatcher } from "../dispatch/dispatcher.js";
import type { Hub } from "../dispatch/hub.js";
import type { SigningKeys } from "../dispatch/keys.js";
import type { Observer } from "../dispatch/observer.js";
import type { Registration } from "../dispatch/registration.js";
import type { Endpoints } from "../dispatch/registry.js";
import type { Schedules } from "../dispatch/schedules.js";
import type { Schemas } from "../dispatch/schemas.js";
import type { Store } from "../store/port.js";
import type { Authenticate } from "./keys.js";
import type { Metrics } from "./metrics.js";
import type { FailedSignIns, Sessions } from "./sessions.js";

export interface Services {
  readonly store: Store;
  /** The host's: on Workers it calls the objects that hold the runs. */
  readonly dispatcher: Pick<
    Dispatcher,
    | "accept"
    | "hasRoom"
    | "leaseOfEvent"
    | "holds"
    | "wake"
    | "wakeAt"
    | "cancelSent"
    | "startedUnknown"
    | "checkpoint"
    | "waitingPolls"
    | "poll"
    | "extend"
    | "answer"
    | "giveBack"
    | "callback"
    | "isWanted"
  > & {
    workersOf(ns: string): ReturnType<Dispatcher["workersOf"]> | Promise<ReturnType<Dispatcher["workersOf"]>>;
    readonly hub: Pick<Hub, "subscribe">;
  };
  readonly schedules: Pick<Schedules, "wakeAt">;
  readonly endpoints: Endpoints;
  readonly schemas: Pick<Schemas, "checkInput" | "checkEvent" | "coverEvent">;
  readonly registration: Registration;
  readonly signingKeys: SigningKeys;
  /** Absent: nobody has to sign in. */
  readonly signIn?: {
    readonly sessions: Pick<Sessions, "begin">;
    readonly failures: FailedSignIns;
    readonly authenticate: Authenticate;
  };
  /** Absent: pushes carry no checkpoint access. */
  readonly checkpoints?: CheckpointTokens;
  readonly metrics: Metrics;
  /** Is told of runs that are started here. */
  readonly observer?: Pick<Observer, "started">;
  /** Lease of a run that is inserted already held by this process. */
  readonly leaseMs: number;
  readonly version: string;
  /** What `/health` says of this process. */
  readonly self?: { readonly pid: number; readonly folder: string };
  readonly now: () => number;
}
