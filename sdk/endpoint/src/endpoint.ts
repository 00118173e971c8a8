import type { ServableVersion } from "@aikirun/workflow";
import type { EndpointOptions } from "./options.js";
import { createServe } from "./serve.js";
import { webRequest, webResponse } from "./web.js";

/** A handler of any runtime that speaks the Fetch standard. `env` holds the bindings where the runtime passes them. */
export type FetchHandler = (request: Request, env?: unknown, context?: unknown) => Promise<Response>;

/**
 * Serves workflow versions from any `Request -> Response` runtime: `export default { fetch: endpoint({ workflows }) }`.
 *
 * Throws `SETTING_INVALID` for a wrong option, `DUPLICATE_WORKFLOW` for a version that is listed twice. What depends
 * on the environment is answered, and logged, at the first request.
 */
export function endpoint(options: { readonly workflows: readonly ServableVersion[] } & EndpointOptions): FetchHandler {
  const { workflows, ...rest } = options;
  const serve = createServe(workflows, rest, "@aikirun/endpoint");
  return async (request, env) => {
    const bindings = typeof env === "object" && env !== null ? env : undefined;
    return webResponse(await serve(webRequest(request, { bindings })), request.method);
  };
}
