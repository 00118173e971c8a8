/** The API as one function from `Request` to `Response`: authenticate, check, call, answer. */
import { AikiError } from "@aikirun/protocol";
import { type Context, Hono } from "hono";
import type { Log } from "../log.js";
import { parsePart, readJson } from "./body.js";
import { checkpointClaims } from "./checkpoints.js";
import { errorReply, toAikiError } from "./errors.js";
import type { Guard } from "./guard.js";
import { type Authenticate, allows, type Caller, forbidden, unauthorized } from "./keys.js";
import type { Reply, Route } from "./route.js";
import { routes } from "./routes.js";
import type { Services } from "./services.js";

export interface AppOptions {
  readonly services: Services;
  readonly authenticate: Authenticate;
  /** Refuses a request before anything else is looked at: `aiki dev` against other web sites. */
  readonly guard?: Guard;
  readonly log: Log;
  /** Aborts when the server stops: long polls and streams answer at once. */
  readonly stopping: AbortSignal;
}

/** Routes without a key speak for nobody. */
const NOBODY: Caller = { ns: "", scope: "read", everywhere: false };

const SECURITY_HEADERS = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

export function createApp(options: AppOptions): Hono {
  return createAppOf(() => options);
}

/** For a host on which each request brings what it is answered with: `fetch(request, env)`. */
export function createAppOf(optionsOf: (env: unknown) => AppOptions): Hono {
  const app = new Hono();
  for (const route of routes) {
    app.on(route.method, route.path, (context) => answer(context, route, optionsOf(context.env)));
  }
  app.notFound((context) => {
    const { method, path } = context.req;
    const allowed = methodsOf(app, path);
    const error =
      allowed.length > 0
        ? new AikiError("METHOD_NOT_ALLOWED", `${method} is not for ${path.slice(0, 200)}; ${allowed.join(", ")} is.`)
        : new AikiError("NOT_FOUND", `There is no route ${path.slice(0, 200)}. /openapi.json lists them.`);
    return failure(error, optionsOf(context.env), allowed.length > 0 ? { allow: allowed.join(", ") } : {});
  });
  app.onError((error, context) => failure(error, optionsOf(context.env)));
  return app;
}

async function answer(context: Context, route: Route, options: AppOptions): Promise<Response> {
  const { services } = options;
  let response: Response;
  try {
    response = send(await call(context, route, options));
  } catch (error) {
    response = failure(error, options);
  }
  services.metrics.request(route.method, route.path, response.status);
  return response;
}

async function call(context: Context, route: Route, options: AppOptions): Promise<Reply | Response> {
  const { req } = context;
  options.guard?.(req.raw, route);
  const authorization = req.header("authorization");
  const caller = await authorize(authorization, route, options.authenticate);
  const params = route.params ? parsePart(route.params, req.param(), "path") : {};
  const query = parseQuery(new URL(req.url).searchParams, route);
  const { services, stopping } = options;
  if (stopping.aborted && !isAnsweredToTheLast(route)) throw isStopping();
  // Before its body is read, as keys are.
  const claims = route.scope === "checkpoint" ? checkpointClaims(authorization, services) : undefined;
  const body = route.body ? parsePart(route.body, await readJson(req.raw), "body") : undefined;
  const signal = () => AbortSignal.any([req.raw.signal, stopping]);
  const gone = () => req.raw.signal;
  const header = (name: string) => req.header(name);
  const allowed = async () => (await options.authenticate(authorization)) !== undefined;
  return route.handle({ params, query, body, caller, claims, header, allowed, signal, gone }, services);
}

/** Invocations under way end with their answers, which they may have to be told by a checkpoint. */
function isAnsweredToTheLast({ scope, path, endsInvocations }: Route): boolean {
  return scope === "checkpoint" || endsInvocations === true || (scope === "public" && path !== "/ready");
}

function isStopping(): AikiError {
  return new AikiError(
    "OVERLOADED",
    "This orchestrator is being stopped. Try again: another one answers, or the next.",
  );
}

async function authorize(header: string | undefined, route: Route, authenticate: Authenticate): Promise<Caller> {
  if (route.scope === "public" || route.scope === "checkpoint") return NOBODY;
  const caller = await authenticate(header);
  if (!caller) throw unauthorized(header !== undefined);
  if (!allows(caller.scope, route.scope)) throw forbidden(caller, route.scope);
  return caller;
}

function parseQuery(search: URLSearchParams, route: Route): unknown {
  const names = [...search.keys()];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new AikiError("INVALID_REQUEST", `query: ${twice.slice(0, 100)} is given twice.`);
  if (route.query) return parsePart(route.query, Object.fromEntries(search), "query");
  if (names.length === 0) return {};
  throw new AikiError("INVALID_REQUEST", `query: ${names[0]?.slice(0, 100)} is unknown; this route takes none.`);
}

function send(reply: Reply | Response): Response {
  if (reply instanceof Response) return reply;
  const headers = { ...SECURITY_HEADERS, ...reply.headers };
  if (reply.body === undefined) return new Response(null, { status: reply.status, headers });
  return new Response(JSON.stringify(reply.body), {
    status: reply.status,
    headers: { ...headers, "content-type": "application/json" },
  });
}

function failure(
  thrown: unknown,
  { log }: Pick<AppOptions, "log">,
  more: Readonly<Record<string, string>> = {},
): Response {
  const error = toAikiError(thrown);
  if (error.code === "INTERNAL") log.error("a request failed", { reason: reasonOf(error.cause) });
  const { status, body, headers } = errorReply(error);
  return send({ status, body, headers: { ...headers, ...more } });
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

function methodsOf(app: Pick<Hono, "router">, path: string): string[] {
  const methods = new Set(routes.map((route) => route.method));
  return [...methods].sort().filter((method) => app.router.match(method, path)[0].length > 0);
}
