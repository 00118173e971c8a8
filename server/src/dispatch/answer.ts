/**
 * Reads what came back for a push, by the answer table of the protocol. Only an answer that carries `Aiki-Protocol` was
 * given by the SDK; everything else stood in front of it.
 */
import {
  ERROR_CODES,
  type ErrorAnswer,
  errorAnswerSchema,
  jsonTextDepth,
  LIMITS,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
} from "@aikirun/protocol";
import type { Exchanged } from "../egress/exchange.js";
import { notAnEndpoint, protectedByHost, type Refusal, redirected, shownUrl } from "./refusal.js";

export type Answered = Extract<Exchanged, { type: "answered" }>;

/** How far a push surely came; see `DeliveryOutcome`. */
export type Reach = "refused" | "lost" | "timeout";

export type Reading =
  /** The SDK's own 200: its JSON, not validated yet. */
  | { readonly type: "json"; readonly value: unknown }
  /** The SDK's own 202, likewise. */
  | { readonly type: "accepted"; readonly value: unknown }
  /** The SDK's own error, in the status or inside a 200. */
  | { readonly type: "error"; readonly status: number; readonly error: ErrorAnswer["error"] }
  | { readonly type: "busy"; readonly retryAfterMs: number | undefined; readonly message: string }
  | { readonly type: "failed"; readonly refusal: Refusal; readonly reach: Reach };

export function readAnswer(url: string, exchanged: Exchanged): Reading {
  if (exchanged.type === "failed") {
    const { code, detail, sent } = exchanged;
    const reach = code === "ENDPOINT_TIMEOUT" ? "timeout" : sent ? "lost" : "refused";
    return failed({ code, message: `${shownUrl(url)} ${detail}.` }, reach);
  }
  const { status, headers } = exchanged;
  if (isBusy(status)) return busy(url, exchanged);
  if (headers[PROTOCOL_HEADER] === undefined) return foreignAnswer(url, exchanged);
  if (headers[PROTOCOL_HEADER] !== String(PROTOCOL_VERSION)) {
    return bad(
      url,
      `answered with protocol version ${headers[PROTOCOL_HEADER].slice(0, 20)}, expected ${PROTOCOL_VERSION}`,
    );
  }
  return ownAnswer(url, exchanged);
}

/** Something answered that is not the SDK. */
function foreignAnswer(url: string, { status, headers }: Answered): Reading {
  if (status >= 300 && status < 400) return failed(redirected(url, status, headers["location"]), "refused");
  if (status === 401 || status === 403) return failed(protectedByHost(url, status, headers), "refused");
  if (status === 404 || status === 405) return failed(notAnEndpoint(url, status), "refused");
  if (status === 413) return failed(tooLarge(url), "refused");
  if (status === 504 || status === 524) {
    const message = `${shownUrl(url)} answered ${status}: its host ended the invocation. Tell serveAiki the host's limit with maxDuration.`;
    return failed({ code: "ENDPOINT_TIMEOUT", message }, "timeout");
  }
  if (status >= 500) return failed({ code: "ENDPOINT_ERROR", message: `${shownUrl(url)} answered ${status}.` }, "lost");
  const kind = (headers["content-type"] ?? "no content type").split(";", 1)[0];
  return bad(url, `answered ${status} (${kind}) without Aiki-Protocol: something in front of Aiki's code answered`);
}

/** The SDK answered: JSON, preceded by white space when it took long. */
function ownAnswer(url: string, answered: Answered): Reading {
  const { status, body } = answered;
  if (jsonTextDepth(body) > LIMITS.jsonDepth + COMMANDS_ENVELOPE_DEPTH) {
    return bad(url, `answered with JSON that nests deeper than ${LIMITS.jsonDepth} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return bad(url, `answered ${status} with something that is not JSON`);
  }
  if (status === 200 && !isErrorBody(value)) return { type: "json", value };
  if (status === 202) return { type: "accepted", value };
  const error = errorAnswerSchema.safeParse(value);
  if (!error.success) return bad(url, `answered ${status} without an error code`);
  const effective = status === 200 ? (error.data.error.httpStatus ?? 500) : status;
  if (isBusy(effective))
    return { type: "busy", retryAfterMs: undefined, message: told(url, effective, error.data.error) };
  return { type: "error", status: effective, error: error.data.error };
}

function isBusy(status: number): boolean {
  return status === 429 || status === 503;
}

/** The arrays and objects of an answer or a checkpoint around a payload: body, commands, command, error. */
export const COMMANDS_ENVELOPE_DEPTH = 4;

function isErrorBody(value: unknown): boolean {
  return typeof value === "object" && value !== null && "error" in value && !("runId" in value) && !("nonce" in value);
}

/** The SDK's own 503 says why (for instance, that it cannot reach the keys); a host's says only that it is busy. */
function busy(url: string, { status, headers, body }: Answered): Reading {
  const retryAfterMs = parseRetryAfter(headers["retry-after"], headers["date"]);
  const own = headers[PROTOCOL_HEADER] === undefined ? undefined : errorIn(body);
  const message = own ? told(url, status, own) : `${shownUrl(url)} answered ${status}: it is busy.`;
  return { type: "busy", retryAfterMs, message };
}

function errorIn(body: string): ErrorAnswer["error"] | undefined {
  try {
    return errorAnswerSchema.safeParse(JSON.parse(body)).data?.error;
  } catch {
    return undefined;
  }
}

const RETRY_AFTER_MAX_MS = 60 * 60_000;

/** RFC 9110 section 10.2.3: seconds, or a date (compared with the answer's own `Date`, never with our clock). */
export function parseRetryAfter(value: string | undefined, date: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,10}$/.test(value)) return Math.min(Number(value) * 1_000, RETRY_AFTER_MAX_MS);
  const delayMs = Date.parse(value) - Date.parse(date ?? "");
  return Number.isNaN(delayMs) ? undefined : Math.min(Math.max(delayMs, 0), RETRY_AFTER_MAX_MS);
}

export function refusedByEndpoint(url: string, status: number, error: ErrorAnswer["error"]): Refusal {
  return { code: status >= 500 ? "ENDPOINT_ERROR" : "ENDPOINT_REFUSED", message: told(url, status, error) };
}

/** The endpoint's own code where it is one of ours: what whoever registers it has to know. */
export function ownRefusal(url: string, status: number, error: ErrorAnswer["error"]): Refusal {
  const own = ERROR_CODES.find((code) => code === error.code);
  return own ? { code: own, message: bounded(error.message) } : refusedByEndpoint(url, status, error);
}

function told(url: string, status: number, error: ErrorAnswer["error"]): string {
  return `${shownUrl(url)} answered ${status} ${error.code}: ${bounded(error.message)}`;
}

export function badAnswer(url: string, what: string): Refusal {
  return { code: "BAD_ANSWER", message: `${shownUrl(url)} ${what}.` };
}

function tooLarge(url: string): Refusal {
  const message = `${shownUrl(url)} answered 413: the push is larger than what stands in front of the endpoint lets through.`;
  return { code: "PAYLOAD_TOO_LARGE", message };
}

function bad(url: string, what: string): Reading {
  return failed(badAnswer(url, what), "lost");
}

function failed(refusal: Refusal, reach: Reach): Reading {
  return { type: "failed", refusal, reach };
}

function bounded(message: string): string {
  return message.length > MESSAGE_CHARS ? `${message.slice(0, MESSAGE_CHARS)}…` : message;
}
const MESSAGE_CHARS = 2_000;
