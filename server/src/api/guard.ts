/**
 * `aiki dev` takes no key, so it must not be reachable from the web pages that the developer visits: a page of another
 * origin, a name that was made to resolve to this machine (DNS rebinding), a form post.
 */
import { AikiError, SESSION_HEADER } from "@aikirun/protocol";
import type { Route } from "./route.js";

/** Throws `FOREIGN_HOST` or `FOREIGN_ORIGIN`. */
export type Guard = (request: Request, route: Pick<Route, "path">) => void;

/** Docker and WSL read these by another name of this machine; neither says nor does anything. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/.well-known/jwks.json", "/health"]);

export const loopbackOnly: Guard = (request, route) => {
  if (OPEN_PATHS.has(route.path)) return;
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (!isLoopback(`http://${host}`)) {
    throw new AikiError(
      "FOREIGN_HOST",
      `aiki dev answers only to this machine's own names, not to ${host.slice(0, 200)}. Use http://localhost, or aiki start with a key.`,
    );
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new AikiError(
      "FOREIGN_ORIGIN",
      `A web page of ${origin.slice(0, 200)} must not use aiki dev. Call it from your server's code.`,
    );
  }
  const site = request.headers.get("sec-fetch-site");
  if (site === "cross-site") throw new AikiError("FOREIGN_ORIGIN", "A web page of another site must not use aiki dev.");
};

/**
 * Throws `FOREIGN_ORIGIN`. A cookie comes along with whatever page asks; the header comes only from a page of this origin,
 * because any other has to ask first (Fetch, section 3.2), and nobody answers that.
 */
export function requireOwnPage(request: Request): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const site = request.headers.get("sec-fetch-site") ?? "same-origin";
  if (request.headers.get(SESSION_HEADER) === "1" && site === "same-origin") return;
  throw new AikiError(
    "FOREIGN_ORIGIN",
    `A request that changes something and is known by the session's cookie needs the header ${SESSION_HEADER}: 1, from a page of this origin. A program sends an API key instead.`,
  );
}

function isLoopback(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { hostname, protocol } = new URL(origin);
  if (protocol !== "http:" && protocol !== "https:") return false;
  const host = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
