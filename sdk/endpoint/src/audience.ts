/** Was this push meant for this app? The token names one URL; an app can be known under several. */

import { Refusal } from "./refusal.js";
import type { EndpointRequest } from "./request.js";

export interface Audience {
  /** URLs that the user configured: compared as they are written. */
  readonly urls: readonly string[];
  /** Origins that the platform states: the route's own path must follow. */
  readonly origins: readonly string[];
  /** Where the request says that it went, used when neither of the above is known. */
  readonly own: { readonly origin: string; readonly path: string };
}

/**
 * The origin as a proxy in front states it, else as the request names it. A caller can write anything there: it is
 * the namespace, never the host name, that keeps one app's pushes out of another.
 */
export function ownLocation(request: EndpointRequest): Audience["own"] {
  const first = (name: string) => request.header(name)?.split(",", 1)[0]?.trim();
  const host = first("x-forwarded-host") || first("host") || "unknown";
  const scheme = first("x-forwarded-proto") || request.scheme;
  return { origin: `${scheme}://${host}`.toLowerCase(), path: request.path };
}

export function checkAudience(aud: string, { urls, origins, own }: Audience): void {
  if (urls.some((url) => aud === url || aud === canonical(url))) return;
  if (origins.some((origin) => isUnder(aud, origin, own.path))) return;
  const configured = [...urls, ...origins.map((origin) => origin + own.path)];
  if (configured.length === 0 && isUnder(aud, own.origin, own.path)) return;
  const seen = configured.length > 0 ? configured.join(", ") : own.origin + own.path;
  throw new Refusal(
    401,
    "AUDIENCE_MISMATCH",
    `Registered as ${aud}, but this app sees itself as ${seen}. ` +
      `Set AIKI_ENDPOINT_URL=${aud} here, or register the other URL.`,
  );
}

/** A proxy may have stripped the beginning of the path, never its end. The root has no end to compare. */
function isUnder(aud: string, origin: string, path: string): boolean {
  const url = canonical(aud) === aud || `${aud}/` === canonical(aud) ? new URL(aud) : undefined;
  if (!url || url.username || url.password || url.hash) return false;
  return url.origin === canonicalOrigin(origin) && url.pathname.endsWith(path === "/" ? "" : path);
}

function canonical(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).href : undefined;
}

function canonicalOrigin(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).origin : undefined;
}
