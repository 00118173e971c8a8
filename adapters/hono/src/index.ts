/** Serves workflows from a Hono app: `app.all("/api/aiki", serveAiki([...]))`. */
import {
  createServe,
  type EndpointOptions,
  type RawBody,
  waitUntilOf,
  webRequest,
  webResponse,
} from "@aikirun/endpoint";
import type { AnyVersion, ServeArguments } from "@aikirun/workflow";
import type { Context } from "hono";

export type { EndpointOptions } from "@aikirun/endpoint";

/**
 * A Hono handler for GET and POST. Settings come from `c.env` first, then from the process.
 * Throws `SETTING_INVALID` for a wrong option, `DUPLICATE_WORKFLOW` for a version that is listed twice.
 */
export function serveAiki<const Versions extends readonly AnyVersion[]>(
  workflows: Versions,
  ...[options]: ServeArguments<Versions, EndpointOptions>
): (c: Context) => Promise<Response> {
  const serve = createServe(workflows, options ?? {}, "@aikirun/hono");
  return async (c) => {
    const bindings: unknown = c.env;
    const request = webRequest(c.req.raw, {
      // `url` is built from the Host header, and mounted apps keep the whole path in it.
      path: new URL(c.req.url).pathname,
      bindings: typeof bindings === "object" && bindings !== null ? bindings : undefined,
      remainingMs: lambdaRemainingMs(bindings),
      waitUntil: waitUntilOf(executionContext(c)),
      // A middleware that read the body left its bytes with Hono; the raw request has nothing left.
      ...(c.req.raw.bodyUsed && { body: () => keptBody(c) }),
    });
    return webResponse(await serve(request), c.req.method);
  };
}

async function keptBody(c: Context): Promise<RawBody> {
  try {
    return { type: "bytes", bytes: new Uint8Array(await c.req.arrayBuffer()) };
  } catch {
    // It was read past Hono, from the raw request.
    return { type: "parsed" };
  }
}

/** Hono throws where the runtime has none. */
function executionContext(c: Context): unknown {
  try {
    return c.executionCtx;
  } catch {
    return undefined;
  }
}

/** `hono/aws-lambda` passes Lambda's context in the bindings. */
function lambdaRemainingMs(bindings: unknown): number | undefined {
  const { lambdaContext } = (bindings ?? {}) as { lambdaContext?: { getRemainingTimeInMillis?(): number } };
  return lambdaContext?.getRemainingTimeInMillis?.();
}
