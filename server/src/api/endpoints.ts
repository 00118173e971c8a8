/** `/v1/endpoints` and `/v1/workflows`: who serves what. */
import {
  AikiError,
  checkEndpointBodySchema,
  checkResultSchema,
  endpointIdSchema,
  endpointListSchema,
  endpointSchema,
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

async function listWorkflows(
  ns: string,
  { store, endpoints, dispatcher }: Services,
): Promise<WorkflowList["workflows"]> {
  const byVersion = new Map<string, WorkflowList["workflows"][number]>();
  for (const { workflow, version, live } of await store.countLive(ns)) {
    byVersion.set(`${workflow}@${version}`, { name: workflow, version, workers: 0, events: [], live });
  }
  await endpoints.refresh();
  for (const { workflow, version, endpoint } of endpoints.served(ns)) {
    const listed = describedIn(endpoint, { workflow, version });
    const live = byVersion.get(`${workflow}@${version}`)?.live ?? 0;
    const events = listed?.events.map((event) => event.name) ?? [];
    const known = { name: workflow, version, endpoint: endpoint.stored.name, workers: 0, events, live };
    byVersion.set(`${workflow}@${version}`, known);
  }
  for (const { workflow, version, workers } of await dispatcher.workersOf(ns)) {
    const known = byVersion.get(`${workflow}@${version}`) ?? { name: workflow, version, events: [], live: 0 };
    byVersion.set(`${workflow}@${version}`, { ...known, workers });
  }
  return [...byVersion.values()].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
