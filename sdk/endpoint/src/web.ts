/** Between the Fetch standard and the endpoint: for every runtime and framework that speaks `Request -> Response`. */
import { concatBytes, LIMITS } from "@aikirun/protocol";
import type { EndpointAnswer } from "./answer.js";
import type { EndpointRequest, RawBody } from "./request.js";

export function webRequest(request: Request, more: Partial<EndpointRequest> = {}): EndpointRequest {
  const { protocol, pathname } = new URL(request.url);
  return {
    method: request.method,
    header: (name) => request.headers.get(name) ?? undefined,
    body: () => readBody(request),
    signal: () => request.signal,
    scheme: protocol.slice(0, -1),
    path: pathname,
    ...more,
  };
}

/** Of the execution context that Workers, and what is like them, pass beside the request. */
export function waitUntilOf(context: unknown): EndpointRequest["waitUntil"] {
  const { waitUntil } = (context ?? {}) as { waitUntil?: unknown };
  return typeof waitUntil === "function" ? (work) => void waitUntil.call(context, work) : undefined;
}

export function webResponse({ status, headers, body }: EndpointAnswer, method: string): Response {
  const sent = method === "HEAD" ? null : typeof body === "string" ? body : streamOf(body);
  return new Response(sent, { status, headers });
}

function streamOf(parts: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const reader = parts[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}

/** No body is longer than what HTTP announces, so one that is announced within the bound needs no counting. */
async function readBody(request: Request): Promise<RawBody> {
  if (request.bodyUsed) return { type: "parsed" };
  const announced = Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (!(announced <= LIMITS.bodyBytes)) return await readStream(request.body);
  return { type: "bytes", bytes: new Uint8Array(await request.arrayBuffer()) };
}

/** How much of a body that is too large is read and let go, so that the caller comes to read the answer. */
const DRAIN_BYTES = 4 * LIMITS.bodyBytes;

/** Keeps a stream's bytes up to the bound of a push. */
async function readStream(stream: ReadableStream<Uint8Array> | null): Promise<RawBody> {
  if (!stream) return { type: "bytes", bytes: new Uint8Array() };
  const reader = stream.getReader();
  let chunks: Uint8Array[] = [];
  let length = 0;
  while (length <= DRAIN_BYTES) {
    const { done, value } = await reader.read();
    if (done)
      return length > LIMITS.bodyBytes ? { type: "tooLarge" } : { type: "bytes", bytes: concatBytes(chunks, length) };
    length += value.length;
    if (length <= LIMITS.bodyBytes) chunks.push(value);
    else chunks = [];
  }
  await reader.cancel();
  return { type: "tooLarge" };
}
