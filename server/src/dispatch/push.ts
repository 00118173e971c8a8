/** `Delivery` over HTTP: one signed POST per push, and the answer table. */
import {
  type CheckpointAccess,
  callbackPromiseSchema,
  type ExecuteAnswer,
  type ExecuteRequest,
  executeAnswerSchema,
  LIMITS,
  MANIFEST_HEADER,
} from "@aikirun/protocol";
import type { RunFacts } from "../core/run.js";
import type { Exchanged } from "../egress/exchange.js";
import { badAnswer, type Reach, readAnswer, refusedByEndpoint } from "./answer.js";
import type { CheckpointTokens } from "./checkpoint-token.js";
import type { Delivery, DeliveryOutcome, Route } from "./delivery.js";
import type { LiveEndpoint } from "./live-endpoint.js";
import { fitting, PushBodies, type PushBody } from "./push-body.js";
import { type Refusal, shownUrl } from "./refusal.js";
import type { Endpoints } from "./registry.js";
import type { Post, PostTarget, Token } from "./signed-post.js";

export interface PushOptions {
  readonly endpoints: Endpoints;
  readonly post: Post;
  /** Absent: nobody outside knows how to reach this orchestrator, so that invocations end with each step. */
  readonly checkpoints?: CheckpointTokens;
  /** For workers, who need to know no public URL. */
  readonly workerCheckpoints?: CheckpointTokens;
  /** Called when an answer gives reason to ask the endpoint who it is now: see `Health`. */
  readonly doubt: (endpointId: string, reason: Doubt) => void;
  /** For metrics. */
  readonly observe?: (outcome: DeliveryOutcome, elapsedMs: number) => void;
}

/** `changed`: it states another manifest or does not serve a version. `refused`: it, or its host, did not let a push in. */
export type Doubt = "changed" | "refused" | "well";

/** An endpoint answers two seconds before its budget ends; the rest is for the way there and back. */
const GRACE_MS = 10_000;

interface SignedPush {
  readonly target: PostTarget;
  readonly message: Parameters<Post["sign"]>[1];
  readonly token: Token;
  readonly body: PushBody;
  /** For how long it offers the endpoint to go on in the background. */
  readonly callbackMs: number | undefined;
}

export class Pusher implements Delivery {
  readonly #options: PushOptions;
  readonly #signed = new WeakMap<ExecuteRequest, SignedPush>();
  readonly #bodies = new PushBodies();

  constructor(options: PushOptions) {
    this.#options = options;
  }

  route(facts: RunFacts): Route | undefined {
    return facts.pool === undefined ? this.#options.endpoints.route(facts) : undefined;
  }

  forWorker(ns: string, request: ExecuteRequest): ExecuteRequest {
    return fitting(request, this.#access(this.#options.workerCheckpoints, ns, request, undefined));
  }

  versionTimeoutMs(facts: RunFacts): number | undefined {
    return this.#options.endpoints.versionTimeoutMs(facts);
  }

  prepare(route: Route, ns: string, request: ExecuteRequest): void {
    const endpoint = this.#options.endpoints.get(route.endpointId);
    if (!endpoint) return;
    const signed = this.#sign(endpoint, ns, request);
    // Perhaps nobody will ask for it.
    if (typeof signed.token !== "string") signed.token.catch(() => {});
    this.#signed.set(request, signed);
  }

  async deliver(route: Route, ns: string, request: ExecuteRequest, signal: AbortSignal): Promise<DeliveryOutcome> {
    const endpoint = this.#options.endpoints.get(route.endpointId);
    if (!endpoint) return { type: "not_served", message: `The endpoint ${route.endpointId} was removed.` };
    const waiting = endpoint.slots.acquire(signal);
    if (waiting && !(await waiting)) return CALLED_OFF;
    // Tokens last only so long.
    if (waiting) this.#signed.delete(request);
    const startedAt = performance.now();
    const outcome = await this.#push(endpoint, ns, request, signal);
    endpoint.slots.release(outcome.type === "busy" ? "busy" : isWell(outcome) ? "ok" : "other");
    this.#options.observe?.(outcome, performance.now() - startedAt);
    return outcome;
  }

  served(ns: string): { workflow: string; version: string; url: string }[] {
    return this.#options.endpoints
      .served(ns)
      .map(({ workflow, version, endpoint }) => ({ workflow, version, url: shownUrl(endpoint.stored.url) }));
  }

  async #push(
    endpoint: LiveEndpoint,
    ns: string,
    request: ExecuteRequest,
    signal: AbortSignal,
  ): Promise<DeliveryOutcome> {
    const { target } = endpoint;
    const known = this.#signed.get(request);
    const { message, token, body, callbackMs } = known?.target === target ? known : this.#sign(endpoint, ns, request);
    const limits = { totalMs: request.budgetMs + GRACE_MS, maxAnswerBytes: LIMITS.bodyBytes, signal };
    const exchanged = await this.#options.post.send(target, { ...message, ...limits }, token);
    this.#compareManifest(endpoint, exchanged);
    const outcome = this.#classify(endpoint, request, exchanged, callbackMs);
    if (outcome.type !== "too_large") return outcome;
    if (!body.canShrink)
      return failed({ code: "PAYLOAD_TOO_LARGE", message: `${outcome.message} ${SMALLER}` }, "refused");
    this.#bodies.refused(endpoint.stored.id, body.bytes);
    return outcome;
  }

  #sign({ target, stored }: LiveEndpoint, ns: string, request: ExecuteRequest): SignedPush {
    const { checkpoints, post } = this.#options;
    const { run, pushId, fence } = request;
    const { inlineCheckpoints, backgroundMs } = stored.manifest.capabilities;
    const checkpoint = inlineCheckpoints ? this.#access(checkpoints, ns, request, backgroundMs) : undefined;
    const body = this.#bodies.of(stored.id, request, checkpoint);
    const message = { ns, subject: run.id, pushId, fence, body: body.text };
    return { target, message, body, token: post.sign(target, message), callbackMs: checkpoint?.callbackMs };
  }

  #access(
    tokens: CheckpointTokens | undefined,
    ns: string,
    { run, pushId, fence, budgetMs }: ExecuteRequest,
    backgroundMs: number | undefined,
  ): CheckpointAccess | undefined {
    const lastsMs = Math.max(budgetMs, backgroundMs ?? 0) + GRACE_MS;
    return tokens?.access({ ns, runId: run.id, pushId, fence }, lastsMs, backgroundMs);
  }

  #classify(
    endpoint: LiveEndpoint,
    request: ExecuteRequest,
    exchanged: Exchanged,
    callbackMs: number | undefined,
  ): DeliveryOutcome {
    const { url } = endpoint.target;
    const reading = readAnswer(url, exchanged);
    if (reading.type === "busy") {
      return { type: "busy", retryAfterMs: reading.retryAfterMs ?? 0, message: reading.message };
    }
    if (reading.type === "failed") {
      if (reading.refusal.code === "PAYLOAD_TOO_LARGE") return { type: "too_large", message: reading.refusal.message };
      if (DOUBTFUL.has(reading.refusal.code)) this.#doubt(endpoint, "refused");
      return failed(reading.refusal, reading.reach);
    }
    if (reading.type === "json" || reading.type === "accepted") {
      const outcome =
        reading.type === "json"
          ? accept(url, request, reading.value)
          : promised(url, request, reading.value, callbackMs);
      if (isWell(outcome) && endpoint.stored.status === "unhealthy") this.#doubt(endpoint, "well");
      return outcome;
    }
    const { status, error } = reading;
    if (status === 413) return { type: "too_large", message: refusedByEndpoint(url, status, error).message };
    if (error.code === "HISTORY_NEEDED") return { type: "history_needed" };
    if (error.code === "NON_DETERMINISM" && error.divergence) {
      return { type: "diverged", divergence: error.divergence, message: error.message };
    }
    if (error.code === "WORKFLOW_NOT_SERVED") {
      this.#doubt(endpoint, "changed");
      return { type: "not_served", message: error.message };
    }
    if (status === 401 || status === 403) this.#doubt(endpoint, "refused");
    return failed(refusedByEndpoint(url, status, error), status >= 500 ? "lost" : "refused");
  }

  #compareManifest(endpoint: LiveEndpoint, exchanged: Exchanged): void {
    const stated = exchanged.type === "answered" ? exchanged.headers[MANIFEST_HEADER] : undefined;
    if (stated !== undefined && stated !== endpoint.stored.manifestHash) this.#doubt(endpoint, "changed");
  }

  #doubt(endpoint: LiveEndpoint, reason: Doubt): void {
    this.#options.doubt(endpoint.stored.id, reason);
  }
}

const SMALLER =
  "Where AIKI_PUBLIC_URL tells how to reach the orchestrator, long histories are read and not pushed; an input should be smaller.";

const CALLED_OFF: DeliveryOutcome = {
  type: "failed",
  code: "ABORTED",
  message: "The push was called off before it was sent.",
  reach: "refused",
};

/** What a signed `describe` tells apart: a rule against this one request, or an endpoint that is gone. */
const DOUBTFUL: ReadonlySet<string> = new Set([
  "PROTECTED_BY_HOST",
  "NOT_AN_ENDPOINT",
  "REDIRECT",
  "CONNECTION_REFUSED",
  "DNS_FAILED",
  "TLS_FAILED",
  "BLOCKED_ADDRESS",
]);

/** Only an answer to exactly this push may be committed. */
function accept(url: string, request: ExecuteRequest, value: unknown): DeliveryOutcome {
  const parsed = executeAnswerSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return failed(
      badAnswer(url, `answered something that is no answer: ${issue?.path.join(".")} ${issue?.message}`),
      "lost",
    );
  }
  const wrong = wrongEcho(request, parsed.data);
  if (wrong) return failed(badAnswer(url, `answered for another ${wrong}`), "lost");
  return { type: "answer", answer: parsed.data };
}

/** Later than the push has offered, nobody holds the run for it, and its token is no good. */
function promised(
  url: string,
  request: ExecuteRequest,
  value: unknown,
  callbackMs: number | undefined,
): DeliveryOutcome {
  if (callbackMs === undefined) return failed(badAnswer(url, "answered 202, and the push did not offer that"), "lost");
  const parsed = callbackPromiseSchema.safeParse(value);
  if (!parsed.success) {
    const at = parsed.error.issues[0]?.path.join(".") || "the body";
    return failed(badAnswer(url, `answered 202 with something that promises no callback (at ${at})`), "lost");
  }
  const { data } = parsed;
  const wrong = wrongEcho(request, data);
  if (wrong) return failed(badAnswer(url, `answered 202 for another ${wrong}`), "lost");
  if (data.deadlineMs > callbackMs) {
    return failed(badAnswer(url, `promised a callback in ${data.deadlineMs} ms, of ${callbackMs} ms at most`), "lost");
  }
  return { type: "callback", promise: data };
}

function isWell({ type }: DeliveryOutcome): boolean {
  return type === "answer" || type === "callback";
}

type Echo = Pick<ExecuteAnswer, "runId" | "pushId" | "epoch" | "gen" | "seq">;

function wrongEcho({ run, pushId, fence }: ExecuteRequest, answer: Echo): string | undefined {
  if (answer.runId !== run.id) return "run";
  if (answer.pushId !== pushId) return "push";
  if (answer.epoch !== fence.epoch || answer.gen !== fence.gen || answer.seq < fence.seq) return "fence";
  return undefined;
}

function failed({ code, message }: Refusal, reach: Reach): DeliveryOutcome {
  return { type: "failed", code, message, reach };
}
