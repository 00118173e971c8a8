/** The orchestrator on Cloudflare Workers: what `wrangler deploy` puts there, and `aiki dev --runtime workers` runs. */
import { type AppOptions, createAppOf } from "../api/app.js";
import { errorReply, toAikiError } from "../api/errors.js";
import { loopbackOnly } from "../api/guard.js";
import { authenticateWith, everyone } from "../api/keys.js";
import { Pages } from "../api/pages.js";
import type { Services } from "../api/services.js";
import { Sessions } from "../api/sessions.js";
import { fireSchedules } from "../dispatch/schedules.js";
import { DISPATCH_DEFAULTS } from "../dispatch/settings.js";
import { VERSION } from "../version.js";
import { bindingAssets } from "./cloudflare/binding-assets.js";
import type { Bindings } from "./cloudflare/bindings.js";
import { tellFired } from "./cloudflare/clock-object.js";
import { doubtTeller } from "./cloudflare/doubts.js";
import { type Isolate, isolateOf, writeDownSoon } from "./cloudflare/isolate.js";
import { clockObject, sweep } from "./cloudflare/objects.js";
import { remoteRuns } from "./cloudflare/remote-runs.js";
import { type Defer, log, openWorkplace, type Workplace } from "./cloudflare/workplace.js";

export { ClockObject } from "./cloudflare/clock-object.js";
export { DeskObject } from "./cloudflare/desk-object.js";
export { RunObject } from "./cloudflare/run-object.js";

const app = createAppOf((options) => options as AppOptions);

async function respond(request: Request, env: Bindings, context: ExecutionContext): Promise<Response> {
  const deferred: Promise<unknown>[] = [];
  const defer = (work: Promise<unknown>) => void deferred.push(work);
  try {
    const isolate = isolateOf(env);
    const workplace = await open(env, isolate, defer);
    const response = await app.fetch(request, appOptions(env, isolate, workplace, defer) as object);
    writeDownSoon(isolate, (work) => context.waitUntil(work));
    context.waitUntil(settled(deferred).then(() => workplace.store.close()));
    return response;
  } catch (error) {
    const { status, body, headers } = errorReply(toAikiError(error));
    return Response.json(body, { status, headers });
  }
}

async function open(env: Bindings, isolate: Isolate, defer: Defer): Promise<Workplace> {
  const workplace: Workplace = await openWorkplace(isolate, {
    doubt: doubtTeller(env, isolate, defer),
    woken: () => defer(sweep(env, workplace.store)),
    defer,
  });
  return workplace;
}

function appOptions(
  env: Bindings,
  isolate: Isolate,
  { store, dispatch, ...workplace }: Workplace,
  defer: Defer,
): AppOptions {
  const { settings, local } = isolate.configuration;
  const now = Date.now;
  const leaseMs = dispatch.leaseMs ?? DISPATCH_DEFAULTS.leaseMs;
  const sessions = new Sessions(workplace.seal, now);
  const { apiKeys: known } = isolate;
  const open = local?.open === true;
  const authenticate = open
    ? everyone
    : authenticateWith({ store, adminKey: settings.AIKI_ADMIN_KEY, sessions, now, known });
  const services: Services = {
    ...workplace,
    store,
    dispatcher: remoteRuns({ env, store, leaseMs, defer }),
    schedules: { wakeAt: (at) => defer(clockObject(env).wakeAt(at)) },
    metrics: isolate.metrics,
    observer: isolate.observing,
    ...(!open && { signIn: { sessions, failures: isolate.failedSignIns, authenticate } }),
    leaseMs,
    version: VERSION,
    ...(local && { self: { pid: local.pid, folder: local.folder } }),
    now,
  };
  return {
    services,
    authenticate,
    addressOf: ({ req }) => req.header("cf-connecting-ip"),
    ...(env.ASSETS && { pages: new Pages(bindingAssets(env.ASSETS)) }),
    ...(open && { guard: loopbackOnly }),
    log,
    stopping: new AbortController().signal,
  };
}

/** Every minute: what a lost call, a lost alarm or a dead object has left lying. */
async function everyMinute(env: Bindings): Promise<void> {
  const deferred: Promise<unknown>[] = [];
  const { store } = await open(env, isolateOf(env), (work) => void deferred.push(work));
  try {
    await fireSchedules({ store, fired: (firing) => void deferred.push(tellFired(env, firing)) });
    await sweep(env, store);
    writeDownSoon(isolateOf(env), (work) => void deferred.push(work));
    await clockObject(env).tick();
    await settled(deferred);
  } finally {
    await store.close();
  }
}

/** What is deferred may defer more. */
async function settled(deferred: Promise<unknown>[]): Promise<void> {
  while (deferred.length > 0) await Promise.allSettled(deferred.splice(0));
}

export default {
  fetch: respond,
  scheduled: (_event, env) => everyMinute(env),
} satisfies ExportedHandler<Bindings>;
