/** What a person says to one run: cancel, pause, resume, wakeup, requeue, each a message that the run reads; and retry. */
import { cancelBodySchema, controlBodySchema } from "@aikirun/protocol";
import * as z from "zod";
import type { ControlBody } from "../store/port.js";
import { appendTo, runEnded } from "./mail.js";
import { retryRun } from "./retry.js";
import { type Reply, type Route, route } from "./route.js";
import { runParams } from "./runs.js";
import type { Services } from "./services.js";

const ACCEPTED = z.strictObject({ duplicate: z.boolean() });

const SUMMARIES = {
  pause: "Hold a run once what is under way is recorded. It takes events, and no timer of it comes due.",
  resume: "Let a paused run go on. Nothing happens to a run that is not paused.",
  wakeup: "End the sleeps of a run that are open, and start a run that was to start later. Nothing else is woken.",
  requeue: "Let a stalled run go on from where it stands. Nothing happens to a run that is not stalled.",
} as const;

export const controlRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/runs/:id/cancel",
    scope: "write",
    summary: "Cancel a run and its children. Takes effect at its next commit.",
    params: runParams,
    body: cancelBodySchema,
    answers: { 202: ACCEPTED },
    async handle({ params, body, caller }, services) {
      const reply = await tell(services, caller.ns, params.id, body.id, { kind: "cancel", reason: body.reason });
      services.dispatcher.cancelSent(caller.ns, params.id);
      return reply;
    },
  }),
  ...(["pause", "resume", "wakeup", "requeue"] as const).map((kind) =>
    route({
      method: "POST",
      path: `/v1/runs/:id/${kind}`,
      scope: "write",
      summary: SUMMARIES[kind],
      params: runParams,
      body: controlBodySchema,
      answers: { 202: ACCEPTED },
      handle: ({ params, body, caller }, services) => tell(services, caller.ns, params.id, body.id, { kind }),
    }),
  ),
  route({
    method: "POST",
    path: "/v1/runs/:id/retry",
    scope: "write",
    summary: "Open a failed run again: its handler runs once more with everything recorded but what failed.",
    params: runParams,
    body: controlBodySchema,
    answers: { 202: ACCEPTED },
    async handle({ params, body, caller }, services) {
      return { status: 202, body: { duplicate: await retryRun(services, caller.ns, params.id, body.id) } };
    },
  }),
];

async function tell(
  services: Services,
  ns: string,
  runId: string,
  messageId: string | undefined,
  body: ControlBody,
): Promise<Reply> {
  const outcome = await appendTo(services, ns, runId, messageId, body);
  if (outcome.type === "ended") throw runEnded(runId, outcome.status);
  return { status: 202, body: { duplicate: outcome.type === "duplicate" } };
}
