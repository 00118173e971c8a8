/** `/v1/runs`: start, look, wait. */
import {
  AikiError,
  historyPageSchema,
  historyQuerySchema,
  inputHash,
  LIMITS,
  listRunsQuerySchema,
  newId,
  runIdSchema,
  runPageSchema,
  runSchema,
  type StartRunBody,
  type StartRunResult,
  startRunBodySchema,
  startRunResultSchema,
  waitQuerySchema,
  waitResultSchema,
} from "@aikirun/protocol";
import * as z from "zod";
import type { NewRun } from "../core/run.js";
import { type RunFilter, StoreUnavailable } from "../store/port.js";
import { checkPayload } from "./body.js";
import { runNotFound } from "./mail.js";
import { type Route, route } from "./route.js";
import type { Services } from "./services.js";
import { parseStatuses } from "./statuses.js";
import { followRun } from "./stream.js";
import { waitForEnd } from "./wait.js";

export const runParams = z.strictObject({ id: runIdSchema });
/** A browser that connects again says which event it had last. What no record's number could be counts as nothing. */
const lastEventIdSchema = z
  .string()
  .regex(/^\d{1,9}$/)
  .optional()
  .catch(undefined);
const DEFAULT_PAGE = 50;
const DEFAULT_HISTORY_PAGE = 1_000;

export const runRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/runs",
    scope: "write",
    summary: "Start a run. The same id and body again is the same request.",
    body: startRunBodySchema,
    answers: { 201: startRunResultSchema, 200: startRunResultSchema },
    async handle({ body, caller }, services) {
      const started = await startOne(services, caller.ns, body, true);
      return { status: started.existing ? 200 : 201, body: started };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs",
    scope: "read",
    summary: "Runs, newest first.",
    query: listRunsQuerySchema,
    answers: { 200: runPageSchema },
    async handle({ query, caller }, { store }) {
      const { cursor, limit = DEFAULT_PAGE, status, ...rest } = query;
      const filter = { ...rest, ...(status === undefined ? {} : { status: parseStatuses(status) }) } as RunFilter;
      const { runs, next } = await store.listRuns(caller.ns, filter, cursor, limit);
      return { status: 200, body: { runs, ...(next !== undefined && { next }) } };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id",
    scope: "read",
    summary: "One run: its state, what it waits for, why it is in trouble.",
    params: runParams,
    answers: { 200: runSchema },
    async handle({ params, caller }, { store }) {
      const run = await store.getRun(caller.ns, params.id);
      if (!run) throw runNotFound(params.id);
      return { status: 200, body: run };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/history",
    scope: "read",
    summary: "Recorded entries in order.",
    params: runParams,
    query: historyQuerySchema,
    answers: { 200: historyPageSchema },
    async handle({ params, query, caller }, { store }) {
      const { after = 0, limit = DEFAULT_HISTORY_PAGE } = query;
      const part = await store.readHistory(caller.ns, params.id, after, limit, LIMITS.historyBytes);
      if (!part) throw runNotFound(params.id);
      const { records, more } = part;
      const next = more ? records.at(-1)?.n : undefined;
      return { status: 200, body: { records, ...(next !== undefined && { next }) } };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/wait",
    scope: "read",
    summary: "Answers when the run has ended, or when the time is up.",
    params: runParams,
    query: waitQuerySchema,
    answers: { 200: waitResultSchema },
    async handle({ params, query, caller, signal }, services) {
      const timeoutMs = query.timeoutMs ?? LIMITS.waitMs / 2;
      return { status: 200, body: await waitForEnd(services, caller.ns, params.id, timeoutMs, signal()) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/stream",
    scope: "read",
    summary: "Server-sent events: `record` for each record, `run` for each change of status, until the run has ended.",
    params: runParams,
    query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
    answers: { 200: "events" },
    async handle({ params, query, caller, signal, allowed, header }, services) {
      if (!(await services.store.getRun(caller.ns, params.id))) throw runNotFound(params.id);
      const after = Number(lastEventIdSchema.parse(header("last-event-id")) ?? query.after ?? 0);
      return followRun(services, caller.ns, params.id, after, { signal: signal(), allowed });
    },
  }),
];

/** One statement; a run that starts now is inserted already held by this process and pushed at once. */
export async function startOne(
  services: Services,
  ns: string,
  body: StartRunBody,
  mayHold: boolean,
): Promise<StartRunResult> {
  const { store, dispatcher, leaseMs } = services;
  checkPayload(body.input, "input");
  await services.schemas.checkInput(ns, body, body.input);
  const run = newRun(ns, body);
  checkTrigger(run.trigger, services);
  const leased = mayHold && !run.trigger && dispatcher.hasRoom();
  const outcome = await store.start(run, leased ? leaseMs : undefined).catch((error: unknown) => {
    if (leased && error instanceof StoreUnavailable) dispatcher.startedUnknown(ns, run.facts.id);
    throw error;
  });
  switch (outcome.type) {
    case "created":
      services.observer?.started(ns, 1);
      if (outcome.held) dispatcher.accept(outcome.held);
      else announce(run, services);
      return { run: outcome.run, existing: false };
    case "existing":
      return { run: outcome.run, existing: true };
    case "reference_conflict":
      throw new AikiError(
        "REFERENCE_CONFLICT",
        `The reference id ${JSON.stringify(body.reference?.id)} belongs to ${outcome.run.id}, which was started with other input. Use another reference id, or conflictPolicy return_existing.`,
        { details: { runId: outcome.run.id } },
      );
    case "id_conflict":
      throw new AikiError(
        "RUN_ID_CONFLICT",
        `The id ${body.id} was used for another request. Make a new id for each run.`,
      );
  }
}

function newRun(ns: string, body: StartRunBody): NewRun {
  const { workflow, version, input, reference, trigger } = body;
  return {
    facts: {
      ns,
      id: body.id ?? newId("run"),
      workflow,
      version,
      input,
      reference: reference?.id,
      retry: body.retry,
      timeoutMs: body.timeoutMs,
      pool: body.pool,
      parent: undefined,
    },
    requestHash: inputHash([workflow, version, input ?? null]),
    conflictPolicy: reference?.conflictPolicy ?? "error",
    trigger: triggerOf(trigger),
  };
}

function triggerOf(trigger: StartRunBody["trigger"]): NewRun["trigger"] {
  if (trigger?.type === "delayed") return { delayMs: trigger.delayMs };
  return trigger?.type === "at" ? { at: trigger.at } : undefined;
}

/** A delay is bounded by its schema; what an instant may be depends on now. */
function checkTrigger(trigger: NewRun["trigger"], { store }: Services): void {
  if (!trigger || !("at" in trigger) || trigger.at <= store.now().latest + LIMITS.durationMs) return;
  throw new AikiError(
    "INVALID_REQUEST",
    `body: trigger.at is ${trigger.at}, more than ten years ahead (${LIMITS.durationMs} ms). Start it sooner, and sleep.`,
  );
}

/** Tells the dispatcher when a run that nobody holds comes due. */
function announce({ facts, trigger }: NewRun, { store, dispatcher }: Services): void {
  const runs = { ns: facts.ns, runIds: [facts.id] };
  if (!trigger) dispatcher.wake(runs);
  else dispatcher.wakeAt("at" in trigger ? trigger.at : store.now().latest + trigger.delayMs, runs);
}
