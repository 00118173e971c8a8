/**
 * The dashboard beside the API, on the same origin. Where its files come from is the host's: a disk, or what a platform
 * keeps beside the program. What is not a file is a place within the dashboard, and gets its one page.
 */
import type { Guard } from "./guard.js";

/** A file of the dashboard. */
export interface Asset {
  readonly body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** As in the header, with its quotes. */
  readonly etag?: string | undefined;
  /** Of the body, when it is compressed. */
  readonly contentEncoding?: string | undefined;
}

export interface Assets {
  /** `path` begins with a slash. `acceptEncoding` is the request's header. Undefined: there is no such file. */
  get(path: string, acceptEncoding: string): Promise<Asset | undefined>;
}

const PAGE = "/index.html";
/** What the build names by its contents. */
const HASHED = /^\/assets\//;
/** Paths of the API, today's and tomorrow's. A wrong one is told so, in JSON. */
const API = /^\/(v\d+|health|ready|metrics|openapi\.json|\.well-known)(\/|$)/;
const LONGEST_PATH = 500;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  vary: "accept, accept-encoding",
};

export class Pages {
  readonly #assets: Assets;

  constructor(assets: Assets) {
    this.#assets = assets;
  }

  /** Undefined: nothing of the dashboard is asked for. Throws what `guard` throws. */
  async answer(request: Request, guard: Guard | undefined): Promise<Response | undefined> {
    const path = new URL(request.url).pathname;
    if ((request.method !== "GET" && request.method !== "HEAD") || API.test(path) || path.length > LONGEST_PATH)
      return undefined;
    guard?.(request, { path });
    const encodings = request.headers.get("accept-encoding") ?? "";
    const file = path === "/" ? undefined : await this.#assets.get(path, encodings);
    if (file) return send(request, file, HASHED.test(path) ? "public, max-age=31536000, immutable" : "no-cache");
    // The name of a file that is not there: the page in its place would be taken for a script. And a program that has
    // the wrong address is told so in JSON; a browser that goes to a place says that it wants a page.
    if (HASHED.test(path) || /\.\w{1,10}$/.test(path)) return undefined;
    if (path !== "/" && !request.headers.get("accept")?.includes("text/html")) return undefined;
    const page = await this.#assets.get(PAGE, encodings);
    return page && send(request, page, "no-cache");
  }
}

function send(request: Request, asset: Asset, cacheControl: string): Response {
  const { body, contentType, etag, contentEncoding } = asset;
  const headers = {
    ...HEADERS,
    "content-type": contentType,
    "cache-control": cacheControl,
    ...(etag !== undefined && { etag }),
    ...(contentEncoding !== undefined && { "content-encoding": contentEncoding }),
  };
  const known = request.headers.get("if-none-match")?.split(",") ?? [];
  // The same but for how it was compressed (RFC 9110, section 13.1.2).
  if (etag !== undefined && known.some((one) => weak(one) === weak(etag))) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(request.method === "HEAD" ? null : body, { headers });
}

function weak(etag: string): string {
  return etag.trim().replace(/^W\//, "");
}
