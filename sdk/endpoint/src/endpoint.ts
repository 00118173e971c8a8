import type { AnyVersion, ContextOption } from "@aikirun/workflow";
import type { AnyEndpointOptions, EndpointOptions } from "./options.js";
import { createServe } from "./serve.js";
import { waitUntilOf, webRequest, webResponse } from "./web.js";

/** A handler of any runtime that speaks the Fetch standard. `env` holds the bindings where the runtime passes them. */
export type FetchHandler = (request: Request, env?: unknown, context?: unknown) => Promise<Response>;

/**
 * Serves workflow versions from any `Request -> Response` runtime: `export default { fetch: endpoint({ workflows }) }`.
 *
 * Throws `SETTING_INVALID` for a wrong option, `DUPLICATE_WORKFLOW` for a version that is listed twice. What depends
 * on the environment is answered, and logged, at the first request.
 */
export function endpoint<const Versions extends readonly AnyVersion[]>(
  options: { readonly workflows: Versions } & EndpointOptions & ContextOption<Versions>,
): FetchHandler {
  const { workflows, ...rest }: { readonly workflows: Versions } & AnyEndpointOptions = options;
  const serve = createServe(workflows, rest, "@aikirun/endpoint");
  return async (request, env, context) => {
    const bindings = typeof env === "object" && env !== null ? env : undefined;
    const waitUntil = waitUntilOf(context);
    return webResponse(await serve(webRequest(request, { bindings, waitUntil })), request.method);
  };
}
