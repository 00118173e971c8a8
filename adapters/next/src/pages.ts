/** Serves workflows from the pages router: `export default serveAiki([...])` in `pages/api/aiki.ts`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServe, type EndpointOptions, serveNode } from "@aikirun/endpoint";
import type { AnyVersion, ServeArguments } from "@aikirun/workflow";

export type { EndpointOptions } from "@aikirun/endpoint";

export type PagesHandler = (request: IncomingMessage & { body?: unknown }, response: ServerResponse) => Promise<void>;

/**
 * An API route. Next's body parser hands pushes over as text of at most 1 MB; for longer histories write
 * `export const config = { api: { bodyParser: false } }` in the same file, as Next does not follow a re-export.
 * Throws `SETTING_INVALID` for a wrong option, `DUPLICATE_WORKFLOW` for a version that is listed twice.
 */
export function serveAiki<const Versions extends readonly AnyVersion[]>(
  workflows: Versions,
  ...[options]: ServeArguments<Versions, EndpointOptions>
): PagesHandler {
  const serve = createServe(workflows, options ?? {}, "@aikirun/next");
  return (request, response) => serveNode(serve, request, response, request.url ?? "/");
}
