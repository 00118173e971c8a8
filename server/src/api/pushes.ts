/** `/v1/runs/{id}/pushes`: what an endpoint was sent for a run, and what became of it. */
import { LIMITS, type RunPush, runPushListSchema } from "@aikirun/protocol";
import { shownUrl } from "../dispatch/refusal.js";
import type { KeptPush } from "../store/port.js";
import { runNotFound } from "./mail.js";
import { type Route, route } from "./route.js";
import { runParams } from "./runs.js";
import type { Services } from "./services.js";

export const pushRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/runs/:id/pushes",
    scope: "read",
    summary: `The last ${LIMITS.keptPushes} pushes of a run that are over, newest first: to whom, how long, what came of it.`,
    params: runParams,
    answers: { 200: runPushListSchema },
    async handle({ params: { id }, caller }, services) {
      const [pushes, known] = await Promise.all([
        services.store.listPushes(caller.ns, id),
        services.store.versionsOf(caller.ns, [id]),
      ]);
      if (!known.has(id)) throw runNotFound(id);
      return { status: 200, body: { pushes: pushes.map((push) => shown(push, caller.ns, services)) } };
    },
  }),
];

function shown({ gen, at, push, code, message }: KeptPush, ns: string, { endpoints }: Services): RunPush {
  const { id, endpointId, seq, durationMs, delivery, checkpoints } = push;
  const endpoint = endpoints.get(endpointId)?.stored;
  const known = endpoint?.ns === ns ? { name: endpoint.name, url: shownUrl(endpoint.url) } : {};
  return {
    id,
    endpoint: { id: endpointId, ...known },
    gen,
    seq,
    // What was written was written when it was over.
    startedAt: Math.max(0, at - durationMs),
    durationMs,
    outcome: code ?? "committed",
    ...(message !== undefined && { message }),
    delivery,
    checkpoints,
  };
}
