/**
 * One HTTP request to the orchestrator, from the client and from endpoints: `@aikirun/protocol/http`. On Node by
 * `node:http` with kept connections, because global fetch costs three times as much there and frameworks put caches and
 * spies around it; elsewhere by the platform's fetch. Never follows a redirect.
 */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Until the last byte of the answer. */
  readonly timeoutMs: number;
  /** Bytes of the longest answer that is read. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** By its lower-case name. */
  header(name: string): string | undefined;
  readonly text: string;
}

/** Rejects with an `HttpFailure`. */
export type HttpSend = (request: HttpRequest) => Promise<HttpAnswer>;

/** `timeout`, `too_long` and `aborted` as the request said; `broken`: no connection, or no whole answer. */
export class HttpFailure extends Error {
  readonly reason: "timeout" | "too_long" | "aborted" | "broken";

  constructor(reason: HttpFailure["reason"], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "HttpFailure";
    this.reason = reason;
  }
}

/** The best that this runtime has. Called once, and nothing is opened before the first request. */
export function httpSend(): HttpSend {
  const { process, navigator } = globalThis as {
    process?: { getBuiltinModule?(name: string): unknown };
    navigator?: { userAgent?: string };
  };
  // Workers have half of node:http.
  if (navigator?.userAgent === "Cloudflare-Workers") return fetchSend();
  const plain = process?.getBuiltinModule?.("node:http") as NodeHttp | undefined;
  const secure = process?.getBuiltinModule?.("node:https") as NodeHttp | undefined;
  return typeof plain?.Agent === "function" && typeof secure?.Agent === "function"
    ? nodeSend(plain, secure)
    : fetchSend();
}

/** As much of `node:http` as is used here; the package must build without Node's types. */
interface NodeHttp {
  readonly Agent: new (options: { keepAlive: boolean; noDelay: boolean; maxSockets: number }) => object;
  request(url: string, options: object, answered: (answer: NodeAnswer) => void): NodeOutgoing;
}
interface NodeAnswer {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly complete: boolean;
  setEncoding(encoding: "utf8"): void;
  on(event: "data", listener: (chunk: string) => void): void;
  on(event: "end" | "close", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}
interface NodeOutgoing {
  readonly reusedSocket: boolean;
  on(event: "error", listener: (error: Error) => void): void;
  end(body?: string): void;
  destroy(error?: Error): void;
}

/** Connections to one orchestrator. More requests than that wait for one. */
const SOCKETS = 256;

function nodeSend(plain: NodeHttp, secure: NodeHttp): HttpSend {
  const keep = { keepAlive: true, noDelay: true, maxSockets: SOCKETS };
  const agents = { plain: new plain.Agent(keep), secure: new secure.Agent(keep) };
  const send = (request: HttpRequest, mayRepeat: boolean): Promise<HttpAnswer> =>
    new Promise((resolve, reject) => {
      const { url, method, headers, body, timeoutMs, maxBytes, signal } = request;
      const isSecure = url.startsWith("https:");
      const agent = isSecure ? agents.secure : agents.plain;
      let outgoing: NodeOutgoing | undefined;
      let answered = false;
      const over = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", calledOff);
      };
      const fail = (reason: HttpFailure["reason"], message: string, cause?: unknown) => {
        over();
        reject(new HttpFailure(reason, message, cause));
        outgoing?.destroy();
      };
      const calledOff = () => fail("aborted", "The request was called off.", signal?.reason);
      const timer = setTimeout(() => fail("timeout", `There was no answer within ${timeoutMs} ms.`), timeoutMs);
      signal?.addEventListener("abort", calledOff, { once: true });
      if (signal?.aborted) return calledOff();
      const length = body === undefined ? {} : { "content-length": String(utf8Bytes(body)) };
      const options = { method, agent, headers: { ...headers, ...length } };
      outgoing = (isSecure ? secure : plain).request(url, options, (answer) => {
        answered = true;
        answer.setEncoding("utf8");
        let text = "";
        let bytes = 0;
        answer.on("data", (chunk) => {
          bytes += utf8Bytes(chunk);
          if (bytes > maxBytes) fail("too_long", `The answer is longer than ${maxBytes} bytes.`);
          else text += chunk;
        });
        answer.on("end", () => {
          over();
          resolve({ status: answer.statusCode ?? 0, header: (name) => joined(answer.headers[name]), text });
        });
        const broken = (error?: Error) => fail("broken", "The connection closed in the middle of the answer.", error);
        answer.on("close", () => {
          if (!answer.complete) broken();
        });
        answer.on("error", broken);
      });
      outgoing.on("error", (error) => {
        // A kept connection that the server was closing just then: nothing was read, and fetch tries again too.
        const stale = outgoing?.reusedSocket && !answered && (error as { code?: unknown }).code === "ECONNRESET";
        if (!stale || !mayRepeat) return fail("broken", error.message, error);
        over();
        send(request, false).then(resolve, reject);
      });
      outgoing.end(body);
    });
  return (request) => send(request, true);
}

function joined(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "object" ? value.join(", ") : value;
}

function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // A surrogate is half of a pair of four bytes.
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** By a fetch: the platform's own, looked up with each request so that what is put around it later counts. */
export function fetchSend(given?: typeof fetch): HttpSend {
  return async ({ url, method, headers, body, timeoutMs, maxBytes, signal }) => {
    // One signal for both reasons: AbortSignal.timeout and AbortSignal.any are a tenth of what a request costs here.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), timeoutMs);
    const calledOff = () => limit.abort(signal?.reason);
    signal?.addEventListener("abort", calledOff, { once: true });
    if (signal?.aborted) calledOff();
    try {
      const answer = await (given ?? fetch)(url, {
        method,
        headers,
        redirect: "manual",
        signal: limit.signal,
        ...(body === undefined ? {} : { body }),
      });
      const text = await boundedText(answer, maxBytes);
      // A redirect that is not followed hides its status from scripts in browsers.
      const status = answer.type === "opaqueredirect" ? 302 : answer.status;
      return { status, header: (name) => answer.headers.get(name) ?? undefined, text };
    } catch (cause) {
      if (cause instanceof HttpFailure) throw cause;
      if (signal?.aborted) throw new HttpFailure("aborted", "The request was called off.", signal.reason);
      if (limit.signal.aborted) throw new HttpFailure("timeout", `There was no answer within ${timeoutMs} ms.`, cause);
      throw new HttpFailure("broken", cause instanceof Error ? cause.message : String(cause), cause);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", calledOff);
    }
  };
}

async function boundedText(answer: Response, maxBytes: number): Promise<string> {
  if (!answer.body) return "";
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      await reader.cancel();
      throw new HttpFailure("too_long", `The answer is longer than ${maxBytes} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}
