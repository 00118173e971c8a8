/** What an adapter tells about one HTTP request. */
import { LIMITS, PROTOCOL_HEADER, PROTOCOL_VERSION, PUSH_CONTENT_TYPE } from "@aikirun/protocol";
import { Refusal } from "./refusal.js";

/** A request body: its exact bytes, or why there are none. */
export type RawBody =
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  /** A body parser ran first and kept only what it made of the bytes. */
  | { readonly type: "parsed" }
  | { readonly type: "tooLarge" };

export interface EndpointRequest {
  readonly method: string;
  /** A header's value by its lower-case name. */
  header(name: string): string | undefined;
  /** Called at most once, for POST only. Keeps at most `LIMITS.bodyBytes`. */
  body(): Promise<RawBody>;
  /** The scheme of the connection that reached this process: `http` or `https`. */
  readonly scheme: string;
  /** The path of this route as the outside sees it, with whatever a router stripped. */
  readonly path: string;
  /** Bindings that the runtime passed with the request, searched for settings before the process's environment. */
  readonly bindings?: object | undefined;
  /** Aborts when the caller has gone, where the host can tell. */
  signal?(): AbortSignal | undefined;
  /** Milliseconds that the host leaves this invocation, where it can tell. */
  readonly remainingMs?: number | undefined;
  /** Keeps the host from stopping work that goes on after the answer, where it offers that. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined;
}

/** Reads the body of a push, or says what in the way here lost it. */
export async function readPushBody(request: EndpointRequest): Promise<Uint8Array> {
  checkHeaders(request);
  const announced = announcedBytes(request);
  const body = await request.body();
  switch (body.type) {
    case "tooLarge":
      throw tooLarge();
    case "parsed":
      throw new Refusal(
        500,
        "BODY_ALREADY_PARSED",
        "A body parser ran before Aiki, so the signature cannot be checked. Mount serveAiki before " +
          `express.json({ type: "*/*" }), or exclude ${request.path} from it.`,
      );
    case "bytes": {
      const { length } = body.bytes;
      if (length > LIMITS.bodyBytes) throw tooLarge();
      if (announced !== undefined && length < announced) throw truncated(announced, length);
      return body.bytes;
    }
  }
}

function checkHeaders(request: EndpointRequest): void {
  const version = request.header(PROTOCOL_HEADER);
  if (version !== String(PROTOCOL_VERSION)) {
    throw new Refusal(
      400,
      "PROTOCOL_UNSUPPORTED",
      `This app speaks version ${PROTOCOL_VERSION} of the push protocol. ` +
        (version === undefined
          ? "The request has no Aiki-Protocol header."
          : "The request asks for another one: update the older side."),
    );
  }
  const mediaType = request.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== PUSH_CONTENT_TYPE && mediaType !== "application/json") {
    throw new Refusal(415, "UNSUPPORTED_MEDIA_TYPE", `A push is ${PUSH_CONTENT_TYPE} or application/json.`);
  }
}

/** Undefined when nothing was announced, or when what was announced is compressed bytes that the host has unpacked. */
function announcedBytes(request: EndpointRequest): number | undefined {
  const text = request.header("content-length");
  const encoding = request.header("content-encoding") ?? "identity";
  return text !== undefined && /^\d{1,15}$/.test(text) && encoding === "identity" ? Number(text) : undefined;
}

function tooLarge(): Refusal {
  return new Refusal(
    413,
    "BODY_TOO_LARGE",
    `A push may hold ${LIMITS.bodyBytes} bytes. Send the history by URL instead.`,
  );
}

function truncated(announced: number, received: number): Refusal {
  const count = (bytes: number) => bytes.toLocaleString("en-US");
  return new Refusal(
    400,
    "BODY_TRUNCATED",
    `The body changed on the way: ${count(announced)} bytes announced, ${count(received)} received. ` +
      "Exempt this route from whatever cuts request bodies in front of it.",
  );
}
