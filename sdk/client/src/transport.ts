import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import { fetchSend, HttpFailure, type HttpSend, httpSend } from "@aikirun/protocol/http";
import { badAnswer, readAnswer } from "./answer.js";
import { isRetryable, MAX_RETRY_AFTER_MS, parseRetryAfter, pause, REQUEST_RETRY, retryDelayMs } from "./retry.js";
import { type ClientOptions, checkOptions, resolveSettings, type Settings } from "./settings.js";

export interface ApiRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Starts with `/`; its parts are already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  /** Already checked: JSON can hold it. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the server may hold the request, on top of the ordinary time limit. */
  readonly holdMs?: number | undefined;
  /** Times that it is sent in all; 1 for a request that is not the same when sent twice. */
  readonly maxAttempts?: number | undefined;
}

/** Sends requests and answers what came back, decoded. Throws `AikiError`. */
export type Transport = <T>(request: ApiRequest) => Promise<T>;

const DEFAULT_TIMEOUT_MS = 30_000;
/** Bytes of one answer that this client reads: a page of history with large outputs. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export function transport(options: ClientOptions, own: () => HttpSend = sharedSend): Transport {
  checkOptions(options);
  let settings: Settings | undefined;
  const send = options.fetch ? fetchSend(options.fetch) : own();
  return async <T>(request: ApiRequest): Promise<T> => {
    settings ??= resolveSettings(options);
    const maxAttempts = request.maxAttempts ?? options.maxAttempts ?? REQUEST_RETRY.maxAttempts;
    const body = request.body === undefined ? undefined : encodeBody(request.body);
    for (let attempt = 1; ; attempt++) {
      const outcome = await attemptOnce(send, settings, options, request, body);
      if (outcome.type === "answered") return outcome.value as T;
      const waitMs = retryDelayMs(attempt, outcome.retryAfterMs, Math.random());
      if (!outcome.retryable || attempt >= maxAttempts || waitMs > MAX_RETRY_AFTER_MS) throw outcome.error;
      await pause(waitMs, request.signal).catch(() => {
        throw aborted(request.signal);
      });
    }
  };
}

type Outcome =
  | { readonly type: "answered"; readonly value: unknown }
  | {
      readonly type: "failed";
      readonly error: AikiError;
      readonly retryable: boolean;
      readonly retryAfterMs?: number | undefined;
    };

async function attemptOnce(
  send: HttpSend,
  settings: Settings,
  options: ClientOptions,
  request: ApiRequest,
  body: string | undefined,
): Promise<Outcome> {
  const timeoutMs = (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) + (request.holdMs ?? 0);
  try {
    const response = await send({
      method: request.method,
      url: settings.url + request.path + queryText(request.query),
      headers: headersOf(settings, body),
      body,
      timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
      signal: request.signal,
    });
    const answer = readAnswer(response, settings);
    if (answer.ok) return { type: "answered", value: answer.value };
    return {
      type: "failed",
      error: answer.error,
      retryable: isRetryable(response.status),
      retryAfterMs: parseRetryAfter(response.header("retry-after"), Date.now()),
    };
  } catch (failure) {
    if (!(failure instanceof HttpFailure)) throw failure;
    switch (failure.reason) {
      case "aborted":
        throw aborted(request.signal);
      case "too_long": {
        const { error } = badAnswer(`${settings.url} sent more than ${MAX_ANSWER_BYTES} bytes.`);
        return { type: "failed", error, retryable: false };
      }
      case "timeout":
        return { type: "failed", error: unreachable(settings.url, timeoutMs, failure), retryable: true };
      case "broken":
        return { type: "failed", error: unreachable(settings.url, undefined, failure), retryable: true };
    }
  }
}

/** All clients of a process share their connections. */
let shared: HttpSend | undefined;
function sharedSend(): HttpSend {
  shared ??= httpSend();
  return shared;
}

function headersOf(settings: Settings, body: string | undefined): Record<string, string> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (settings.apiKey !== undefined) headers.authorization = `Bearer ${settings.apiKey}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  return headers;
}

function queryText(query: ApiRequest["query"]): string {
  const given = Object.entries(query ?? {}).filter((entry) => entry[1] !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

function encodeBody(value: unknown): string {
  const text = JSON.stringify(value);
  // A character is at least one byte, so that most bodies need no count.
  const bytes = text.length * 3 <= LIMITS.bodyBytes ? 0 : new TextEncoder().encode(text).length;
  if (bytes > LIMITS.bodyBytes) {
    throw new AikiError(
      "BODY_TOO_LARGE",
      `The request is ${bytes} bytes; the orchestrator takes ${LIMITS.bodyBytes}. Store the data elsewhere and send its address.`,
    );
  }
  return text;
}

function aborted(signal: AbortSignal | undefined): AikiError {
  return new AikiError("ABORTED", "The request was aborted by the caller's signal.", { cause: signal?.reason });
}

function unreachable(url: string, limitMs: number | undefined, cause: unknown): AikiError {
  const why = limitMs === undefined ? reasonOf(cause) : `no answer within ${limitMs} ms`;
  return new AikiError(
    "ORCHESTRATOR_UNREACHABLE",
    `Cannot reach ${url} (${why}). Start it with \`npx aiki dev\`, or set AIKI_URL.`,
    { cause, details: { url } },
  );
}

/** The system's own word, such as ECONNREFUSED. Runtimes hide it at different depths below "fetch failed". */
function reasonOf(cause: unknown): string {
  for (let error = cause, depth = 0; typeof error === "object" && error !== null && depth < 5; depth++) {
    if ("code" in error && typeof error.code === "string" && error.code !== "") return error.code;
    const next: unknown = "cause" in error ? error.cause : undefined;
    if (next === undefined) return "message" in error ? String(error.message) : String(error);
    error = next;
  }
  return String(cause);
}
