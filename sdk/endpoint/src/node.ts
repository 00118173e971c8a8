/** Between Node's request and response and the endpoint: for Express and for the pages router of Next.js. */
import { concatBytes, LIMITS } from "@aikirun/protocol";
import type { EndpointAnswer } from "./answer.js";
import type { EndpointRequest, RawBody } from "./request.js";
import type { Serve } from "./serve.js";

/** As much of `http.IncomingMessage` as is used here; the package must build without Node's types. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: object;
  readonly readableDidRead: boolean;
  /** What a body parser left, when one ran. */
  readonly body?: unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  resume(): unknown;
}

/** As much of `http.ServerResponse`. */
export interface NodeResponse {
  readonly writableFinished: boolean;
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  write(part: string): unknown;
  end(body?: string): unknown;
  on(event: "close", listener: () => void): unknown;
}

/** Serves one request. `url` is the request's path and query before any router took its share. */
export async function serveNode(
  serve: Serve,
  request: NodeRequest,
  response: NodeResponse,
  url: string,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) gone.abort(new Error("The caller has closed the connection."));
  });
  await send(await serve(endpointRequest(request, url, gone.signal)), request, response);
}

function endpointRequest(request: NodeRequest, url: string, gone: AbortSignal): EndpointRequest {
  return {
    method: request.method ?? "GET",
    header(name) {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    body: () => readBody(request),
    signal: () => gone,
    scheme: (request.socket as { encrypted?: boolean }).encrypted ? "https" : "http",
    path: url.split("?", 1)[0] ?? url,
  };
}

async function send({ status, headers, body }: EndpointAnswer, request: NodeRequest, response: NodeResponse) {
  // What was not read must leave the connection, or the caller never gets to read the answer.
  request.resume();
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (request.method === "HEAD") response.end();
  else if (typeof body === "string") response.end(body);
  else {
    for await (const part of body) response.write(part);
    response.end();
  }
}

/** Bytes or text that a parser kept are as good as the stream. Express 4 sets `body` to `{}` even when nothing was read. */
async function readBody(request: NodeRequest): Promise<RawBody> {
  const { body, rawBody } = request as NodeRequest & { rawBody?: unknown };
  for (const kept of [body, rawBody]) if (kept instanceof Uint8Array) return { type: "bytes", bytes: kept };
  if (typeof body === "string") return { type: "bytes", bytes: new TextEncoder().encode(body) };
  return request.readableDidRead ? { type: "parsed" } : await readStream(request);
}

function readStream(request: NodeRequest): Promise<RawBody> {
  return new Promise((resolve, reject) => {
    let chunks: Uint8Array[] = [];
    let length = 0;
    request.on("data", (chunk) => {
      length += chunk.length;
      if (length <= LIMITS.bodyBytes) chunks.push(chunk);
      else {
        // The rest is let go as it arrives; the caller hears of it meanwhile.
        chunks = [];
        resolve({ type: "tooLarge" });
      }
    });
    const finish = () => {
      if (length <= LIMITS.bodyBytes) resolve({ type: "bytes", bytes: concatBytes(chunks, length) });
    };
    request.on("end", finish);
    // A connection that closes early leaves fewer bytes than were announced.
    request.on("close", finish);
    request.on("error", reject);
  });
}
