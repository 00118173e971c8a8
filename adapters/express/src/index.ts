/** Serves workflows from an Express 4 or 5 app: `app.use("/api/aiki", serveAiki([...]))`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServe, type EndpointOptions, serveNode } from "@aikirun/endpoint";
import type { AnyVersion, ServeArguments } from "@aikirun/workflow";

export type { EndpointOptions } from "@aikirun/endpoint";

/** Assignable to the handler type of both versions of Express. */
export type ExpressHandler = (
  request: IncomingMessage & { body?: unknown; originalUrl?: string },
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * A handler for GET and POST. It reads the raw body itself, so mount it anywhere, also behind `express.json()`; only
 * a parser of every media type (`type: "*\/*"`) must come after it.
 * Throws `SETTING_INVALID` for a wrong option, `DUPLICATE_WORKFLOW` for a version that is listed twice.
 */
export function serveAiki<const Versions extends readonly AnyVersion[]>(
  workflows: Versions,
  ...[options]: ServeArguments<Versions, EndpointOptions>
): ExpressHandler {
  const serve = createServe(workflows, options ?? {}, "@aikirun/express");
  return (request, response, next) => {
    // Express strips the mount path from `url`. Express 4 does not look at promises.
    serveNode(serve, request, response, request.originalUrl ?? request.url ?? "/").catch(next);
  };
}
