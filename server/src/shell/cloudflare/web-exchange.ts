/**
 * `Exchange` on Workers: `fetch`, which follows no redirect here. The runtime itself reaches no private network
 * (`global_fetch_strictly_public`); what a URL says by itself is judged before.
 */
import { concatBytes, PROTOCOL_HEADER } from "@aikirun/protocol";
import type { Exchange, Exchanged, ExchangeFailure, ExchangeRequest } from "../../egress/exchange.js";
import {
  blockedAddress,
  brokenAnswer,
  calledOff,
  failed,
  notAsked,
  notUtf8,
  timeUp,
  tooLong,
  unreadable,
} from "../../egress/failures.js";
import { type EgressPolicy, judgeUrl } from "../../egress/policy.js";

export function webExchange(policy: EgressPolicy): Exchange {
  return {
    post: (request) => post(request, policy),
    close: async () => {},
  };
}

async function post(request: ExchangeRequest, policy: EgressPolicy): Promise<Exchanged> {
  if (request.signal.aborted) return notAsked;
  if (!judgeUrl(request.url, policy).ok) return blockedAddress;
  const giveUp = new AbortController();
  let why: Exchanged | undefined;
  const end = (outcome: Exchanged) => {
    why ??= outcome;
    giveUp.abort();
  };
  const timer = setTimeout(() => end(timeUp(request)), request.totalMs);
  const callOff = () => end(calledOff);
  request.signal.addEventListener("abort", callOff, { once: true });
  try {
    return await exchange(request, giveUp.signal);
  } catch {
    return why ?? unconnected();
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", callOff);
    // What is left of an answer is neither read nor waited for.
    giveUp.abort();
  }
}

async function exchange(request: ExchangeRequest, signal: AbortSignal): Promise<Exchanged> {
  const { url, headers, body, maxAnswerBytes } = request;
  const response = await fetch(url, { method: "POST", redirect: "manual", headers: { ...headers }, body, signal });
  const answered = Object.fromEntries(response.headers);
  const inFront = cloudflareFailure(response.status, answered);
  if (inFront) return inFront;
  const refusal = unreadable(answered, request);
  if (refusal) return refusal;
  const length = answered["content-length"];
  const whole = await readWithin(response, maxAnswerBytes, signal);
  if (whole === "too long") return tooLong(maxAnswerBytes);
  if (whole === "broken" || (length !== undefined && whole.byteLength < Number(length))) return brokenAnswer(length);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(whole);
    return { type: "answered", status: response.status, headers: answered, body: text };
  } catch {
    return notUtf8;
  }
}

/** Throws when `signal` has aborted. */
async function readWithin(
  response: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | "too long" | "broken"> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) break;
      bytes += part.value.byteLength;
      if (bytes > maxBytes) return "too long";
      chunks.push(part.value);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return "broken";
  }
  return concatBytes(chunks, bytes);
}

/**
 * What Cloudflare's own network answers in the place of a server that it did not reach (its support pages list the 52x).
 * Not when the SDK gave the answer.
 */
const BY_STATUS: Readonly<Record<number, readonly [ExchangeFailure, string, boolean]>> = {
  520: ["CONNECTION_LOST", "gave an answer that is none", true],
  521: ["CONNECTION_REFUSED", "refused the connection", false],
  522: ["CONNECTION_REFUSED", "did not accept a connection in time", false],
  523: ["CONNECTION_REFUSED", "cannot be reached (no route to the host)", false],
  525: ["TLS_FAILED", "has no valid TLS certificate or protocol", false],
  526: ["TLS_FAILED", "has no valid TLS certificate", false],
  530: ["DNS_FAILED", "has a host name that does not resolve", false],
};

function cloudflareFailure(status: number, headers: Readonly<Record<string, string>>): Exchanged | undefined {
  const failure = BY_STATUS[status];
  if (!failure || headers[PROTOCOL_HEADER] !== undefined) return undefined;
  return failed(...failure);
}

/** There was no answer at all. The runtime does not say why, nor whether the request had been sent. */
function unconnected(): Exchanged {
  return failed("CONNECTION_LOST", "could not be reached, or closed the connection before it answered", true);
}
