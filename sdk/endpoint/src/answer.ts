/** What goes back over HTTP, before an adapter gives it its framework's shape. */
import { type ErrorAnswer, MANIFEST_HEADER, PROTOCOL_HEADER, PROTOCOL_VERSION } from "@aikirun/protocol";
import type { Refusal } from "./refusal.js";

export interface EndpointAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
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
  return { status, headers: { ...HEADERS, ...headers }, body: JSON.stringify(body) };
}

export function manifestHeader(hash: string): Readonly<Record<string, string>> {
  return { [MANIFEST_HEADER]: hash };
}

export function refusalAnswer(refusal: Refusal): EndpointAnswer {
  const { code, message, divergence } = refusal;
  const body: ErrorAnswer = { error: { code, message, ...(divergence && { divergence }) } };
  return jsonAnswer(refusal.status, body, refusal.headers);
}
