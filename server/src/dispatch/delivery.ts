/**
 * One push as `advance` sees it: a request goes out, one of these comes back. `push.ts` does it over HTTP; the
 * simulation does it over a network that loses, doubles and delays.
 */
import type { CallbackPromise, Divergence, ExecuteAnswer, ExecuteRequest } from "@aikirun/protocol";
import type { RunFacts } from "../core/run.js";

/** Who serves a version right now. */
export interface Route {
  readonly endpointId: string;
  readonly url: string;
  /** Longest time that one invocation may last. */
  readonly budgetMs: number;
  /** Pushes that may be under way to this endpoint from one process. */
  readonly concurrency: number;
}

export interface Delivery {
  /** Undefined: no endpoint serves this version, or the run is for a pool of workers. */
  route(facts: RunFacts): Route | undefined;
  /** How long a run of this version may take that has no limit of its own, as far as anybody serves it. */
  versionTimeoutMs?(facts: RunFacts): number | undefined;
  /** The push as a worker is handed it: with its access to checkpoints, and in a size that travels. */
  forWorker?(ns: string, request: ExecuteRequest): ExecuteRequest;
  /** Does beforehand, for a push that will probably be sent, what does not need the network. */
  prepare?(route: Route, ns: string, request: ExecuteRequest): void;
  /** Never throws. `signal` aborts the push (cancel, shutdown). */
  deliver(route: Route, ns: string, request: ExecuteRequest, signal: AbortSignal): Promise<DeliveryOutcome>;
  /** What is served in a namespace instead, for the message that a run without a route shows. */
  served?(ns: string): readonly { readonly workflow: string; readonly version: string; readonly url: string }[];
}

export type DeliveryOutcome =
  | { readonly type: "answer"; readonly answer: ExecuteAnswer }
  /** The endpoint goes on in the background and brings its answer later. */
  | { readonly type: "callback"; readonly promise: CallbackPromise }
  /** The endpoint lost its copy: push again under the same fence with the whole history. */
  | { readonly type: "history_needed" }
  /** Larger than this endpoint takes: push again under the same fence, which goes out smaller. */
  | { readonly type: "too_large"; readonly message: string }
  | { readonly type: "diverged"; readonly divergence: Divergence; readonly message: string }
  /** The endpoint no longer serves this version. */
  | { readonly type: "not_served"; readonly message: string }
  /** 429 or 503: same fence, new push id, after this long. */
  | { readonly type: "busy"; readonly retryAfterMs: number; readonly message: string }
  /**
   * No usable answer. `reach` says how far the push surely came, which decides what it counts as:
   * `refused`: the endpoint did not run it; `lost`: sent, outcome unknown; `timeout`: the host ended the invocation.
   */
  | {
      readonly type: "failed";
      readonly code: string;
      readonly message: string;
      readonly reach: "refused" | "lost" | "timeout";
    };
