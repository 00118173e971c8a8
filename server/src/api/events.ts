/** Events: to one run, or to many with an outcome for each. */
import {
  AikiError,
  type MulticastBody,
  type MulticastResult,
  multicastBodySchema,
  multicastResultSchema,
  sendEventBodySchema,
  sendEventResultSchema,
  sha256Hex,
} from "@aikirun/protocol";
import { checkPayload } from "./body.js";
import { append, appendTo, runEnded } from "./mail.js";
import { type Route, route } from "./route.js";
import { runParams } from "./runs.js";
import type { Services } from "./services.js";

type Outcome = MulticastResult["outcomes"][number];

export const eventRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/runs/:id/events",
    scope: "write",
    summary: "Send an event to one run. The same id or reference again is the same event.",
    params: runParams,
    body: sendEventBodySchema,
    answers: { 200: sendEventResultSchema },
    async handle({ params, body, caller }, services) {
      checkPayload(body.data, "data");
      const message = { kind: "event", name: body.name, data: body.data } as const;
      const outcome = await appendTo(services, caller.ns, params.id, eventIdOf(body), message);
      if (outcome.type === "ended") throw runEnded(params.id, outcome.status);
      return { status: 200, body: { duplicate: outcome.type === "duplicate" } };
    },
  }),
  route({
    method: "POST",
    path: "/v1/events",
    scope: "write",
    summary: "Send an event to many runs, by id or by reference id of one workflow version. An outcome for each.",
    body: multicastBodySchema,
    answers: { 200: multicastResultSchema },
    async handle({ body, caller }, services) {
      checkPayload(body.data, "data");
      const byReference = body.runs.some((run) => "reference" in run);
      if (byReference && (body.workflow === undefined || body.version === undefined)) {
        throw new AikiError("INVALID_REQUEST", "body: runs named by reference need workflow and version.");
      }
      return { status: 200, body: { outcomes: await multicast(services, caller.ns, body) } };
    },
  }),
];

const AT_ONCE = 32;

async function multicast(services: Services, ns: string, body: MulticastBody): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < body.runs.length; i += AT_ONCE) {
    const some = body.runs.slice(i, i + AT_ONCE);
    outcomes.push(...(await Promise.all(some.map((run) => sendOne(services, ns, body, run)))));
  }
  return outcomes;
}

async function sendOne(
  services: Services,
  ns: string,
  body: MulticastBody,
  run: MulticastBody["runs"][number],
): Promise<Outcome> {
  const { workflow = "", version = "" } = body;
  const id = "id" in run ? run.id : (await services.store.findByReference(ns, workflow, version, run.reference))?.id;
  if (id === undefined) return { ...run, outcome: "not_found" };
  const message = { kind: "event", name: body.name, data: body.data } as const;
  const { type } = await append(services, ns, id, eventIdOf(body), message);
  const named = "reference" in run ? { id, reference: run.reference } : { id };
  return { ...named, outcome: type === "appended" ? "sent" : type === "unknown" ? "not_found" : type };
}

/** Unique per run. A reference belongs to the event's name: the same reference for two names is two events. */
function eventIdOf({ id, name, reference }: { id?: string | undefined; name: string; reference?: string | undefined }) {
  return reference === undefined ? id : `ref_${sha256Hex(JSON.stringify([name, reference]))}`;
}
