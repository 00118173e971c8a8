/**
 * `Exchange` on Node: undici, which neither follows redirects nor decompresses. Through its `dispatch` and not its
 * `request`: a body stream, its iterator and an abort signal for each push cost 3 % of the orchestrator's time.
 */
import { Agent, type Dispatcher, Pool } from "undici";
import type { Exchange, Exchanged, ExchangeRequest } from "../egress/exchange.js";
import { brokenAnswer, calledOff, notAsked, notUtf8, timeUp, tooLong, unreadable } from "../egress/failures.js";
import type { EgressPolicy } from "../egress/policy.js";
import { guardedConnector, type Resolve } from "./guarded-connector.js";
import { brokenRequest } from "./node-failure.js";

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
  return {
    post: (request) => new Promise((resolve) => post(agent, request, resolve)),
    close: () => agent.destroy(),
  };
}

function post(agent: Agent, request: ExchangeRequest, done: (exchanged: Exchanged) => void): void {
  if (request.signal.aborted) return done(notAsked);
  const { origin, pathname, search } = new URL(request.url);
  const { headers, body } = request;
  agent.dispatch({ origin, path: pathname + search, method: "POST", headers, body }, new Posting(request, done));
}

/** The bytes of an answer are UTF-8 or it is none. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** One POST under way: collects the answer within its bounds. What happens after it is settled changes nothing. */
class Posting implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #done: (exchanged: Exchanged) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: Record<string, string> | undefined;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(request: ExchangeRequest, done: (exchanged: Exchanged) => void) {
    this.#request = request;
    this.#done = done;
    this.#timer = setTimeout(() => this.#giveUp(timeUp(request)), request.totalMs);
    request.signal.addEventListener("abort", this.#calledOff, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection.
    if (this.#settled) controller.abort(GIVEN_UP);
  }

  onResponseStart(_: unknown, status: number, received: Received): void {
    // An interim answer (RFC 9110 section 15.2): the real one follows.
    if (status < 200 || this.#settled) return;
    const headers = plainHeaders(received);
    const refusal = unreadable(headers, this.#request);
    if (refusal) return this.#giveUp(refusal);
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_: unknown, chunk: Uint8Array): void {
    if (this.#settled) return;
    const { maxAnswerBytes } = this.#request;
    this.#bytes += chunk.byteLength;
    if (this.#bytes > maxAnswerBytes) return this.#giveUp(tooLong(maxAnswerBytes));
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [only] = this.#chunks;
    const whole = this.#chunks.length === 1 && only ? only : Buffer.concat(this.#chunks);
    let body: string;
    try {
      body = utf8.decode(whole);
    } catch {
      return this.#settle(notUtf8);
    }
    this.#settle({ type: "answered", status: this.#status, headers: this.#headers ?? {}, body });
  }

  onResponseError(_: unknown, error: Error): void {
    this.#settle(this.#headers ? brokenAnswer(this.#headers["content-length"]) : brokenRequest(error));
  }

  readonly #calledOff = () => this.#giveUp(calledOff);

  /** Destroys the connection: what is left of the answer is neither read nor waited for. */
  #giveUp(exchanged: Exchanged): void {
    this.#settle(exchanged);
    this.#controller?.abort(GIVEN_UP);
  }

  #settle(exchanged: Exchanged): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#request.signal.removeEventListener("abort", this.#calledOff);
    this.#done(exchanged);
  }
}

/** For undici alone: nobody sees it, and a stack trace per push would cost. */
const GIVEN_UP = new Error("the push was given up");

type Received = Readonly<Record<string, string | readonly string[] | undefined>>;

function plainHeaders(received: Received): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const name in received) {
    const value = received[name];
    if (value !== undefined) plain[name] = typeof value === "string" ? value : value.join(", ");
  }
  return plain;
}
