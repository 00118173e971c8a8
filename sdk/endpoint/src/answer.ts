/** What goes back over HTTP, before an adapter gives it its framework's shape. */
import { type ErrorAnswer, MANIFEST_HEADER, PROTOCOL_HEADER, PROTOCOL_VERSION } from "@aikirun/protocol";
import { errorOf, type Refusal } from "./refusal.js";

export interface EndpointAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** In parts when it takes long. */
  readonly body: string | AsyncIterable<string>;
}

/** Answers differ with each push and must arrive as they were sent: no cache, no proxy that rewrites or collects. */
const HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
  [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
};

export function jsonAnswer(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): EndpointAnswer {
  return { status, headers: answerHeaders(headers), body: JSON.stringify(body) };
}

export function answerHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { ...HEADERS, ...headers };
}

export function manifestHeader(hash: string): Readonly<Record<string, string>> {
  return { [MANIFEST_HEADER]: hash };
}

export function refusalAnswer(refusal: Refusal): EndpointAnswer {
  const body: ErrorAnswer = { error: errorOf(refusal) };
  return jsonAnswer(refusal.status, body, refusal.headers);
}
