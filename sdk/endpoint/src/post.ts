/** POSTs JSON to the orchestrator: by node:http with kept connections where there is one, else by the platform's fetch. */
import { onWorkers } from "./environment.js";

export interface PostAnswer {
  readonly status: number;
  readonly body: string;
}

/** Rejects when there is no whole answer within `timeoutMs`, or when it is longer than `maxBytes`. */
export type Post = (request: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}) => Promise<PostAnswer>;

/** As much of `node:http` as is used here; the package must build without Node's types. */
interface NodeHttp {
  readonly Agent: new (options: { keepAlive: boolean; noDelay: boolean; maxSockets: number }) => object;
  request(url: string, options: object, answered: (answer: NodeAnswer) => void): NodeOutgoing;
}
interface NodeAnswer {
  readonly statusCode?: number;
  readonly complete: boolean;
  on(event: "data", listener: (chunk: Uint8Array) => void): void;
  on(event: "end" | "close", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}
interface NodeOutgoing {
  readonly reusedSocket: boolean;
  on(event: "error", listener: (error: Error) => void): void;
  end(body: string): void;
  destroy(error?: Error): void;
}

/** Connections to one orchestrator. More checkpoints than that wait for one. */
const SOCKETS = 256;

/** Global fetch costs three times as much per request on Node, and frameworks put caches and spies around it. */
export function defaultPost(): Post {
  if (onWorkers()) return fetchPost;
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const plain = process?.getBuiltinModule?.("node:http") as NodeHttp | undefined;
  const secure = process?.getBuiltinModule?.("node:https") as NodeHttp | undefined;
  return typeof plain?.Agent === "function" && typeof secure?.Agent === "function"
    ? nodePost(plain, secure)
    : fetchPost;
}

function nodePost(plain: NodeHttp, secure: NodeHttp): Post {
  const keep = { keepAlive: true, noDelay: true, maxSockets: SOCKETS };
  const kinds = {
    "http:": { http: plain, agent: new plain.Agent(keep) },
    "https:": { http: secure, agent: new secure.Agent(keep) },
  };
  const post: Post = (request) =>
    new Promise((resolve, reject) => {
      const { url, headers, body, timeoutMs, maxBytes, signal } = request;
      const { http, agent } = kinds[url.startsWith("https:") ? "https:" : "http:"];
      const length = new TextEncoder().encode(body).length;
      const options = { method: "POST", agent, headers: { ...headers, "content-length": String(length) }, signal };
      let answered = false;
      const fail = (error: Error & { readonly code?: unknown }) => {
        clearTimeout(timer);
        // The other end closed the kept connection while it was idle. If it had read the request after all, the same
        // again is refused as stale.
        if (outgoing.reusedSocket && !answered && error.code === "ECONNRESET") resolve(post(request));
        else reject(error);
      };
      const outgoing = http.request(url, options, (answer) => {
        answered = true;
        const decoder = new TextDecoder();
        let text = "";
        let bytes = 0;
        answer.on("data", (chunk) => {
          bytes += chunk.length;
          if (bytes > maxBytes) outgoing.destroy(new Error(`It answered with more than ${maxBytes} bytes.`));
          else text += decoder.decode(chunk, { stream: true });
        });
        answer.on("end", () => {
          clearTimeout(timer);
          resolve({ status: answer.statusCode ?? 0, body: text + decoder.decode() });
        });
        answer.on("close", () => {
          if (!answer.complete) fail(new Error("The connection closed in the middle of the answer."));
        });
        answer.on("error", fail);
      });
      const timer = setTimeout(
        () => outgoing.destroy(new Error(`It did not answer within ${timeoutMs} ms.`)),
        timeoutMs,
      );
      outgoing.on("error", fail);
      outgoing.end(body);
    });
  return post;
}

const fetchPost: Post = async ({ url, headers, body, timeoutMs, maxBytes, signal }) => {
  const inTime = AbortSignal.timeout(timeoutMs);
  const answer = await fetch(url, {
    method: "POST",
    headers,
    body,
    redirect: "manual",
    signal: signal ? AbortSignal.any([signal, inTime]) : inTime,
  });
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (const reader = answer.body?.getReader(); reader; ) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > maxBytes) {
      void reader.cancel().catch(() => {});
      throw new Error(`It answered with more than ${maxBytes} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
  return { status: answer.status, body: text + decoder.decode() };
};
