/** `/v1/endpoints` and `/v1/workflows`: who serves what. */
import {
  AikiError,
  checkEndpointBodySchema,
  checkResultSchema,
  endpointIdSchema,
  endpointListSchema,
  endpointSchema,
  LIMITS,
  nameSchema,
  registerEndpointBodySchema,
  versionSchema,
  type WorkflowDetail,
  type WorkflowList,
  workflowDetailSchema,
  workflowListSchema,
} from "@aikirun/protocol";
import * as z from "zod";
import type { LiveEndpoint } from "../dispatch/live-endpoint.js";
import type { ServedVersion } from "../dispatch/registry.js";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";
import { Sparing } from "./sparing.js";

const params = z.strictObject({ id: endpointIdSchema });

export const endpointRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/endpoints",
    scope: "admin",
    summary: "Register an endpoint, or move or refresh the one of that name. It is asked at once who it is.",
    body: registerEndpointBodySchema,
    answers: { 201: endpointSchema, 200: endpointSchema },
    async handle({ body, caller, signal }, { registration }) {
      const { endpoint, created } = await registration.register(caller.ns, body, signal);
      return { status: created ? 201 : 200, body: endpoint };
    },
  }),
  route({
    method: "POST",
    path: "/v1/endpoints/check",
    scope: "admin",
    summary: "Replay a sample of the runs in flight against the code at a URL. No task runs and nothing changes.",
    body: checkEndpointBodySchema,
    answers: { 200: checkResultSchema },
    handle: async ({ body, caller, signal }, { registration }) => ({
      status: 200,
      body: await registration.check(caller.ns, body, signal()),
    }),
  }),
  route({
    method: "GET",
    path: "/v1/endpoints",
    scope: "read",
    summary: "All endpoints, with the versions that each serves now.",
    answers: { 200: endpointListSchema },
    handle: async ({ caller }, { registration }) => ({
      status: 200,
      body: { endpoints: await registration.list(caller.ns) },
    }),
  }),
  route({
    method: "GET",
    path: "/v1/endpoints/:id",
    scope: "read",
    summary: "One endpoint and its manifest.",
    params,
    answers: { 200: endpointSchema },
    handle: async ({ params: { id }, caller }, { registration }) => ({
      status: 200,
      body: await registration.get(caller.ns, id),
    }),
  }),
  route({
    method: "POST",
    path: "/v1/endpoints/:id/refresh",
    scope: "admin",
    summary: "Ask an endpoint again who it is.",
    params,
    body: z.strictObject({}),
    answers: { 200: endpointSchema },
    handle: async ({ params: { id }, caller }, { registration }) => ({
      status: 200,
      body: await registration.refresh(caller.ns, id),
    }),
  }),
  route({
    method: "DELETE",
    path: "/v1/endpoints/:id",
    scope: "admin",
    summary: "Push nothing more there. What is under way ends; its runs wait for another endpoint.",
    params,
    answers: { 204: "empty" },
    async handle({ params: { id }, caller }, { registration }) {
      await registration.remove(caller.ns, id);
      return { status: 204 };
    },
  }),
  route({
    method: "GET",
    path: "/v1/workflows",
    scope: "read",
    summary: "Workflow versions that are served or have runs that have not ended.",
    answers: { 200: workflowListSchema },
    handle: async ({ caller }, services) => ({
      status: 200,
      body: { workflows: await listWorkflows(caller.ns, services) },
    }),
  }),
  route({
    method: "GET",
    path: "/v1/workflows/:workflow/:version",
    scope: "read",
    summary: "One workflow version: the JSON Schemas of its input, output and events, where its endpoint knows them.",
    params: z.strictObject({ workflow: nameSchema, version: versionSchema }),
    answers: { 200: workflowDetailSchema },
    handle: async ({ params, caller }, services) => ({
      status: 200,
      body: await getWorkflow(caller.ns, params, services),
    }),
  }),
];

async function getWorkflow(ns: string, wanted: ServedVersion, services: Services): Promise<WorkflowDetail> {
  const { workflow, version } = wanted;
  const listed = (await listWorkflows(ns, services)).find((one) => one.name === workflow && one.version === version);
  if (!listed) {
    throw new AikiError(
      "NOT_FOUND",
      `Nobody serves ${workflow}@${version}, and no run of it is under way. aiki workflows lists what there is.`,
    );
  }
  const described = describedIn(services.endpoints.serving(ns, wanted), wanted);
  const { input, output, events = [] } = described ?? {};
  return { ...listed, events, ...(input && { input }), ...(output && { output }) };
}

function describedIn(endpoint: LiveEndpoint | undefined, { workflow, version }: ServedVersion) {
  return endpoint?.stored.manifest.workflows.find((one) => one.name === workflow && one.version === version);
}

/** Reads every live run. */
const live = new WeakMap<Services["store"], Sparing<LiveCounts>>();
type LiveCounts = Awaited<ReturnType<Services["store"]["countLive"]>>;

function liveOf(store: Services["store"]): Sparing<LiveCounts> {
  const known = live.get(store) ?? new Sparing((ns) => store.countLive(ns));
  live.set(store, known);
  return known;
}

type ListedVersion = WorkflowList["workflows"][number];

async function listWorkflows(ns: string, services: Services): Promise<ListedVersion[]> {
  const { store, endpoints, dispatcher } = services;
  const listed = new Map<string, ListedVersion>();
  const note = ({ workflow: name, version }: ServedVersion, known: Partial<ListedVersion>) => {
    const none = { name, version, workers: 0, events: [], live: 0, waiting: 0 };
    listed.set(`${name}@${version}`, { ...none, ...listed.get(`${name}@${version}`), ...known });
  };
  const [counted, waiting] = await Promise.all([
    liveOf(store).get(ns),
    store.countUnserved(ns, LIMITS.countedRuns),
    endpoints.refresh(),
  ]);
  for (const one of counted) note(one, { live: one.live });
  for (const one of waiting) note(one, { waiting: one.waiting });
  for (const one of endpoints.served(ns)) {
    const events = describedIn(one.endpoint, one)?.events.map((event) => event.name) ?? [];
    note(one, { endpoint: one.endpoint.stored.name, events });
  }
  for (const one of await dispatcher.workersOf(ns)) note(one, { workers: one.workers });
  return [...listed.values()].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
