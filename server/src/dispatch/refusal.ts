/** What a person reads when something in front of an endpoint answered instead of it. */
import type { ErrorCode } from "@aikirun/protocol";

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A URL as it may be shown: without its query, which may hold a secret. */
export function shownUrl(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

export function protectedByHost(url: string, status: number, headers: Readonly<Record<string, string>>): Refusal {
  const shown = shownUrl(url);
  const message = isWebPage(headers)
    ? `${shown} answered ${status} with a web page before Aiki's code ran: deployment protection is on. ` +
      "Register again with --header x-vercel-protection-bypass=env:VERCEL_AUTOMATION_BYPASS_SECRET, or use the production domain."
    : `${shown} answered ${status} without Aiki-Protocol: something in front of Aiki's code asks for a login. ` +
      `Exempt ${new URL(url).pathname} from it, or register again with --header NAME=env:VAR.`;
  return { code: "PROTECTED_BY_HOST", message };
}

export function notAnEndpoint(url: string, status: number): Refusal {
  const message =
    status === 405
      ? `${shownUrl(url)} answered 405 without Aiki-Protocol: the route exports GET but not POST. In Next: export const { GET, POST } = serveAiki([...]).`
      : `${shownUrl(url)} answered ${status} without Aiki-Protocol. Is the route deployed at this path? In Next it is app/api/aiki/route.ts exporting { GET, POST }.`;
  return { code: "NOT_AN_ENDPOINT", message };
}

/** The Location is shown only when it is on the same host: another one may hold anything. */
export function redirected(url: string, status: number, location: string | undefined): Refusal {
  const from = new URL(url);
  const to = location !== undefined && URL.canParse(location, url) ? new URL(location, url) : undefined;
  const shown = shownUrl(url);
  if (!to || to.hostname !== from.hostname) {
    return refusal(
      `${shown} redirects (${status}) to another host. Pushes never follow redirects. Register the URL that answers itself.`,
    );
  }
  if (sameRoute(from, to)) {
    const target = `${to.origin}${to.pathname}`;
    return refusal(`${shown} redirects (${status}) to ${target}. Pushes never follow redirects. Register that URL.`);
  }
  return refusal(
    `${shown} redirects (${status}) to ${to.pathname}: exempt ${from.pathname} from your auth middleware. Pushes never follow redirects.`,
  );
}

function refusal(message: string): Refusal {
  return { code: "REDIRECT", message };
}

/** Another scheme, port or trailing slash of the same path. */
function sameRoute(from: URL, to: URL): boolean {
  const bare = (path: string) => path.replace(/\/+$/, "").toLowerCase();
  return bare(from.pathname) === bare(to.pathname);
}

function isWebPage(headers: Readonly<Record<string, string>>): boolean {
  return (headers["content-type"] ?? "").includes("html");
}
