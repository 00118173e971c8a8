/** Serves workflows from a Next.js route handler: `export const { GET, POST } = serveAiki([...])`. */
import { createServe, type EndpointOptions, webRequest, webResponse } from "@aikirun/endpoint";
import type { AnyVersion, ServeArguments } from "@aikirun/workflow";

export type { EndpointOptions } from "@aikirun/endpoint";

/** Web types only, so that the package does not depend on a version of Next. */
export type RouteHandler = (request: Request) => Promise<Response>;

/**
 * The handlers of `app/**\/route.ts`. Next reads the route's time limit from a literal `export const maxDuration`
 * alone, so tell it here too: `serveAiki([...], { maxDuration: { seconds: 60 } })`.
 * Throws `SETTING_INVALID` for a wrong option, `DUPLICATE_WORKFLOW` for a version that is listed twice.
 */
export function serveAiki<const Versions extends readonly AnyVersion[]>(
  workflows: Versions,
  ...[options]: ServeArguments<Versions, EndpointOptions>
): { readonly GET: RouteHandler; readonly POST: RouteHandler } {
  const serve = createServe(workflows, options ?? {}, "@aikirun/next");
  // Next reports localhost as the host of `request.url`; only its path is used.
  const handler: RouteHandler = async (request) => webResponse(await serve(webRequest(request)), request.method);
  return { GET: handler, POST: handler };
}
