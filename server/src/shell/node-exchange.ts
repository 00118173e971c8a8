/** `Exchange` on Node: undici, whose request neither follows redirects nor decompresses. */
import { Agent, type Dispatcher, errors, Pool } from "undici";
import type { Exchange, Exchanged, ExchangeFailure, ExchangeRequest } from "../egress/exchange.js";
import type { EgressPolicy } from "../egress/policy.js";
import { BlockedAddress, guardedConnector, type Resolve } from "./guarded-connector.js";

const MAX_HEADER_BYTES = 16 * 1024;

export interface NodeExchangeOptions {
  readonly policy: EgressPolicy;
  /** Connections to one origin. More pushes than that wait for one. */
  readonly connections: number;
  readonly resolve?: Resolve;
}

export function nodeExchange(options: NodeExchangeOptions): Exchange {
  const agent = new Agent({
    factory: (origin, poolOptions) =>
      new Pool(origin, {
        ...poolOptions,
        connect: guardedConnector(new URL(origin), options.policy, options.resolve),
      }),
    connections: options.connections,
    pipelining: 1,
    maxHeaderSize: MAX_HEADER_BYTES,
    // The total deadline below is the only clock: an endpoint may think for its whole budget before the first byte.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return { post: (request) => post(agent, request), close: () => agent.destroy() };
}

async function post(agent: Agent, request: ExchangeRequest): Promise<Exchanged> {
  if (request.signal.aborted) return failed("ABORTED", "was not asked: the push was called off", false);
  const deadline = new AbortController();
  const abort = () => deadline.abort();
  const timer = setTimeout(abort, request.totalMs);
  request.signal.addEventListener("abort", abort, { once: true });
  let answer: Dispatcher.ResponseData | undefined;
  try {
    const { origin, pathname, search } = new URL(request.url);
    answer = await agent.request({
      origin,
      path: pathname + search,
      method: "POST",
      headers: request.headers,
      body: request.body,
      signal: deadline.signal,
    });
    return await readAnswer(answer, request.maxAnswerBytes);
  } catch (error) {
    if (request.signal.aborted) return failed("ABORTED", "did not answer before the push was called off", true);
    if (deadline.signal.aborted) {
      return failed("ENDPOINT_TIMEOUT", `did not answer within ${request.totalMs / 1000} s`, true);
    }
    return answer ? brokenAnswer(answer) : brokenRequest(error);
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", abort);
  }
}

async function readAnswer(answer: Dispatcher.ResponseData, maxBytes: number): Promise<Exchanged> {
  const headers = plainHeaders(answer.headers);
  const encoding = headers["content-encoding"];
  if (encoding && encoding !== "identity") {
    return discard(answer, `answered with content-encoding ${encoding}, though only identity was accepted`);
  }
  if (Number(headers["content-length"] ?? 0) > maxBytes) return discard(answer, tooLong(maxBytes));
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return discard(answer, tooLong(maxBytes));
    chunks.push(chunk);
  }
  const only = chunks[0];
  const whole = chunks.length === 1 && only ? only : Buffer.concat(chunks);
  try {
    const body = new TextDecoder("utf-8", { fatal: true }).decode(whole);
    return { type: "answered", status: answer.statusCode, headers, body };
  } catch {
    return failed("BAD_ANSWER", "answered with bytes that are not UTF-8", true);
  }
}

/** Destroys the connection: what is left of the answer is neither read nor waited for. */
function discard(answer: Dispatcher.ResponseData, detail: string): Exchanged {
  answer.body.on("error", () => {}).destroy();
  return failed("BAD_ANSWER", detail, true);
}

function tooLong(maxBytes: number): string {
  return `answered with more than ${maxBytes.toLocaleString("en-US")} bytes`;
}

function brokenAnswer(answer: Dispatcher.ResponseData): Exchanged {
  const announced = answer.headers["content-length"];
  if (announced === undefined)
    return failed("CONNECTION_LOST", "closed the connection in the middle of its answer", true);
  return failed("BODY_TRUNCATED", `announced ${announced} bytes and closed the connection before sending them`, true);
}

const NO_CONNECTION: Readonly<Record<string, readonly [ExchangeFailure, string]>> = {
  ECONNREFUSED: ["CONNECTION_REFUSED", "refused the connection"],
  EHOSTUNREACH: ["CONNECTION_REFUSED", "cannot be reached (no route to the host)"],
  ENETUNREACH: ["CONNECTION_REFUSED", "cannot be reached (no route to the network)"],
  EADDRNOTAVAIL: ["CONNECTION_REFUSED", "cannot be reached from this address"],
  UND_ERR_CONNECT_TIMEOUT: ["CONNECTION_REFUSED", "did not accept a connection in time"],
  ETIMEDOUT: ["CONNECTION_REFUSED", "did not accept a connection in time"],
  ENOTFOUND: ["DNS_FAILED", "has a host name that does not resolve"],
  EAI_AGAIN: ["DNS_FAILED", "has a host name that the name server did not answer for"],
  BLOCKED_ADDRESS: ["BLOCKED_ADDRESS", "leads to an address that pushes must not reach (AIKI_EGRESS_ALLOW)"],
};

function brokenRequest(error: unknown): Exchanged {
  const cause = firstCause(error);
  if (cause instanceof BlockedAddress) return unconnected("BLOCKED_ADDRESS");
  const code = errorCode(cause);
  if (code in NO_CONNECTION && (code !== "ETIMEDOUT" || failedToConnect(cause))) return unconnected(code);
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)|_CERT/.test(code)) {
    return failed("TLS_FAILED", `has no valid TLS certificate or protocol (${code})`, false);
  }
  if (code === "UND_ERR_HEADERS_OVERFLOW" || cause instanceof errors.HTTPParserError) {
    return failed(
      "BAD_ANSWER",
      `answered with something that is not HTTP, or with too many header bytes (${code})`,
      true,
    );
  }
  return failed("CONNECTION_LOST", `closed the connection before it answered (${code || "no reason given"})`, true);
}

function unconnected(code: string): Exchanged {
  const [failure, detail] = NO_CONNECTION[code] ?? ["CONNECTION_LOST", code];
  return failed(failure, detail, false);
}

/** Node tries every address of a name and reports all failures together. */
function firstCause(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

/** The system call tells a connection that was never made from one that fell silent. */
function failedToConnect(error: unknown): boolean {
  return typeof error === "object" && error !== null && "syscall" in error && error.syscall === "connect";
}

function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

function plainHeaders(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return plain;
}

function failed(code: ExchangeFailure, detail: string, sent: boolean): Exchanged {
  return { type: "failed", code, detail, sent };
}
