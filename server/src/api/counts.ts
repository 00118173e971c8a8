/** How many runs there are, and what needs a person. */
import { type Attention, attentionSchema, LIMITS, type RunCount, runCountsSchema } from "@aikirun/protocol";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";

/** Stalled runs that are shown before anybody asks for the list. */
const SHOWN_STALLED = 5;

export const countRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/runs/counts",
    scope: "read",
    summary: "Runs by status, each counted up to a bound.",
    answers: { 200: runCountsSchema },
    handle: async ({ caller }, { store }) => ({ status: 200, body: { counts: await countRuns(store, caller.ns) } }),
  }),
  route({
    method: "GET",
    path: "/v1/attention",
    scope: "read",
    summary: "What needs a person: stalled runs, endpoints in trouble, versions that runs wait for and nobody serves.",
    answers: { 200: attentionSchema },
    handle: async ({ caller }, services) => ({ status: 200, body: await attention(caller.ns, services) }),
  }),
];

async function countRuns(store: Services["store"], ns: string): Promise<Record<string, RunCount>> {
  const counts = await store.countByStatus(ns, LIMITS.countedRuns);
  return Object.fromEntries(counts.map(({ status, ...count }) => [status, count]));
}

async function attention(ns: string, services: Services): Promise<Attention> {
  const { store, registration, endpoints, dispatcher } = services;
  const [counts, stalled, registered, waiting, pulled] = await Promise.all([
    countRuns(store, ns),
    newestStalled(store, ns),
    registration.list(ns),
    store.countUnserved(ns, LIMITS.countedRuns),
    dispatcher.workersOf(ns),
  ]);
  const served = new Set([...endpoints.served(ns), ...pulled].map(nameOf));
  const counted = waiting.reduce((sum, one) => sum + one.waiting, 0);
  return {
    stalled: { count: 0, more: false, ...counts["stalled"], runs: stalled },
    endpoints: registered
      .filter(({ status, trouble }) => status === "unhealthy" || trouble !== undefined)
      .map(({ id, name, url, status, trouble }) => ({ id, name, url, status, ...(trouble && { trouble }) })),
    unserved: waiting
      .filter((one) => !served.has(nameOf(one)))
      .map(({ workflow, version, waiting: count }) => {
        return { workflow, version, count, more: counted >= LIMITS.countedRuns };
      }),
  };
}

function nameOf({ workflow, version }: { readonly workflow: string; readonly version: string }): string {
  return `${workflow}@${version}`;
}

async function newestStalled(store: Services["store"], ns: string): Promise<Attention["stalled"]["runs"]> {
  const { runs } = await store.listRuns(ns, { status: ["stalled"] }, undefined, SHOWN_STALLED);
  return Promise.all(
    runs.map(async (run) => {
      const trouble = (await store.getRun(ns, run.id))?.trouble;
      return { ...run, ...(trouble && { trouble: { code: trouble.code, message: trouble.message } }) };
    }),
  );
}
