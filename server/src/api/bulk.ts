/** Many runs at once: by a filter what `control.ts` does by id, and a batch of starts. */
import {
  AikiError,
  type BulkBody,
  type BulkResult,
  bulkBodySchema,
  bulkCancelBodySchema,
  bulkResultSchema,
  LIMITS,
  newId,
  type StartRunsResult,
  startRunBodySchema,
  startRunsBodySchema,
  startRunsResultSchema,
} from "@aikirun/protocol";
import type { ControlBody, RunFilter } from "../store/port.js";
import { parsePart } from "./body.js";
import { retryAll } from "./retry.js";
import { type Route, route } from "./route.js";
import { startOne } from "./runs.js";
import type { Services } from "./services.js";

/** Runs that one statement locks. */
const STATEMENT_RUNS = 1_000;

export const bulkRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/runs/batch",
    scope: "write",
    summary: `Start up to ${LIMITS.batchRuns} runs, with an outcome for each.`,
    body: startRunsBodySchema,
    answers: { 200: startRunsResultSchema },
    async handle({ body, caller }, services) {
      const outcomes = await Promise.all(body.runs.map((run) => startOrSay(services, caller.ns, run)));
      return { status: 200, body: { outcomes } };
    },
  }),
  route({
    method: "POST",
    path: "/v1/runs/cancel",
    scope: "write",
    summary: `Cancel the live runs of a filter, newest first, at most ${LIMITS.bulkRuns}, and their children.`,
    body: bulkCancelBodySchema,
    answers: { 200: bulkResultSchema },
    handle: async ({ body, caller }, services) => ({
      status: 200,
      body: await tellAll(services, caller.ns, body, { kind: "cancel", reason: body.reason }),
    }),
  }),
  route({
    method: "POST",
    path: "/v1/runs/requeue",
    scope: "write",
    summary: `Let the stalled runs of a filter go on, newest first, at most ${LIMITS.bulkRuns}.`,
    body: bulkBodySchema,
    answers: { 200: bulkResultSchema },
    async handle({ body, caller }, services) {
      const status = (body.filter.status ?? ["stalled"]).filter((one) => one === "stalled");
      const stalled = { ...body, filter: { ...body.filter, status } };
      return { status: 200, body: await tellAll(services, caller.ns, stalled, { kind: "requeue" }) };
    },
  }),
  route({
    method: "POST",
    path: "/v1/runs/retry",
    scope: "write",
    summary: `Open the failed runs of a filter again, newest first, at most ${LIMITS.bulkRuns}.`,
    body: bulkBodySchema,
    answers: { 200: bulkResultSchema },
    handle: async ({ body, caller }, services) => ({ status: 200, body: await retryAll(services, caller.ns, body) }),
  }),
];

type Outcome = StartRunsResult["outcomes"][number];

/** Not leased: a batch is for all replicas to share. */
async function startOrSay(services: Services, ns: string, body: unknown): Promise<Outcome> {
  try {
    const { run, existing } = await startOne(services, ns, parsePart(startRunBodySchema, body, "body"), false);
    return { outcome: existing ? "existing" : "created", run };
  } catch (error) {
    // Unknown outcomes are not one run's fault: the whole request is to be sent again, with the same ids.
    if (!(error instanceof AikiError)) throw error;
    const { code, message, details } = error;
    return { outcome: "error", error: { code, message, ...(details && { details: { ...details } }) } };
  }
}

async function tellAll(
  { store, dispatcher }: Services,
  ns: string,
  body: Omit<BulkBody, "reason">,
  said: ControlBody,
): Promise<BulkResult> {
  const { filter, limit = LIMITS.bulkRuns } = body;
  const message = { eventId: body.id ?? newId("msg"), body: said };
  let { cursor } = body;
  let sent = 0;
  let duplicate = 0;
  for (let left = limit; left > 0; left = limit - sent - duplicate) {
    const where = { ns, filter: filter as RunFilter, cursor, limit: Math.min(left, STATEMENT_RUNS) };
    const page = await store.appendWhere(where, message);
    sent += page.runIds.length;
    duplicate += page.duplicates;
    cursor = page.cursor;
    if (page.runIds.length > 0) dispatcher.wake({ ns, runIds: page.runIds });
    if (said.kind === "cancel") for (const runId of page.runIds) dispatcher.cancelSent(ns, runId);
    if (cursor === undefined) return { sent, duplicate };
  }
  return { sent, duplicate, ...(cursor !== undefined && { next: cursor }) };
}
