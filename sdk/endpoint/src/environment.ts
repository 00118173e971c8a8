/** The one place of the SDK that reads the environment, and the facts about the host that follow from it. */

/** Looks a setting up. An empty text counts as absent. */
export type Environment = (name: string) => string | undefined;

/** Settings of the runtime's bindings (Workers pass them with each request) first, then those of the process. */
export function environment(bindings?: object): Environment {
  const bound = (bindings ?? {}) as Record<string, unknown>;
  const own = processEnvironment();
  return (name) => {
    const value = bound[name];
    return (typeof value === "string" ? value : own[name]) || undefined;
  };
}

function processEnvironment(): Record<string, string | undefined> {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};
}

/** Workers forbid one request to await another's I/O, and call themselves by this name. */
export function onWorkers(): boolean {
  return (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent === "Cloudflare-Workers";
}

/** Each of these is set by a host on which nobody develops. */
const HOST_VARIABLES = [
  "VERCEL",
  "NETLIFY",
  "AWS_LAMBDA_FUNCTION_NAME",
  "K_SERVICE",
  "FLY_APP_NAME",
  "RENDER",
  "RAILWAY_ENVIRONMENT",
  "DYNO",
  "WEBSITE_SITE_NAME",
  "DENO_DEPLOYMENT_ID",
  "CF_PAGES",
];

/** Whether defaults that are only safe on a developer's machine are out of place. */
export function isProduction(env: Environment): boolean {
  return env("NODE_ENV") === "production" || HOST_VARIABLES.some((name) => env(name) !== undefined);
}

/**
 * Where the platform says that this deployment can be reached: origins, without a path.
 * Netlify's names are common words, so they count only on Netlify.
 */
export function platformOrigins(env: Environment): string[] {
  const vercel = ["VERCEL_URL", "VERCEL_BRANCH_URL", "VERCEL_PROJECT_PRODUCTION_URL"].map(env);
  const netlify = env("NETLIFY") ? ["URL", "DEPLOY_URL", "DEPLOY_PRIME_URL"].map(env) : [];
  return [...vercel, ...netlify].flatMap((stated) => {
    if (!stated) return [];
    const text = stated.includes("://") ? stated : `https://${stated}`;
    return URL.canParse(text) ? [new URL(text).origin] : [];
  });
}

/** Each of these is set where a process may stand still, or end, once its requests are answered. */
const EPHEMERAL_VARIABLES = [
  "VERCEL",
  "NETLIFY",
  "AWS_LAMBDA_FUNCTION_NAME",
  "K_SERVICE",
  "FUNCTIONS_WORKER_RUNTIME",
  "DENO_DEPLOYMENT_ID",
];

/** Whether work goes on after its request was answered, without anything being done for it. */
export function isLongLived(env: Environment): boolean {
  return !onWorkers() && EPHEMERAL_VARIABLES.every((name) => env(name) === undefined);
}

/** Where a platform puts what belongs to the request under way: for Next.js as its documentation has it, and Vercel's own. */
const REQUEST_CONTEXTS = ["@next/request-context", "@vercel/request-context"].map((name) => Symbol.for(name));

/** What the platform of the request under way offers to keep work alive after the answer. */
export function hostWaitUntil(): ((work: Promise<unknown>) => void) | undefined {
  for (const key of REQUEST_CONTEXTS) {
    const holder = (globalThis as { [key: symbol]: unknown })[key] as
      | { get?(): { waitUntil?: (work: Promise<unknown>) => void } | undefined }
      | undefined;
    const context = holder?.get?.();
    if (typeof context?.waitUntil === "function") return (work) => context.waitUntil?.(work);
  }
  return undefined;
}

const MINUTE_MS = 60_000;

/** How long one invocation may last when nobody said: milliseconds. */
export function hostDurationMs(env: Environment): number {
  if (env("VERCEL") || env("NETLIFY")) return MINUTE_MS;
  return onWorkers() ? 5 * MINUTE_MS : 15 * MINUTE_MS;
}
