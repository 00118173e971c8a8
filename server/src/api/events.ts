/** Events: to one run, or to many with an outcome for each. */
import {
  AikiError,
  type MulticastBody,
  type MulticastResult,
  multicastBodySchema,
  multicastResultSchema,
  type SendEventBody,
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
      await checkEvent(services, caller.ns, params.id, body);
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

/** The run's version is read only when a version has a schema for this event. A run that is unknown has none. */
async function checkEvent(
  { schemas, store }: Services,
  ns: string,
  runId: string,
  { name, data }: SendEventBody,
): Promise<void> {
  if (!schemas.coverEvent(ns, name)) return;
  const version = (await store.versionsOf(ns, [runId])).get(runId);
  if (version) await schemas.checkEvent(ns, version, name, data);
}

const AT_ONCE = 32;

async function multicast(services: Services, ns: string, body: MulticastBody): Promise<Outcome[]> {
  const fits = await fitsRun(services, ns, body);
  const outcomes: Outcome[] = [];
  for (let i = 0; i < body.runs.length; i += AT_ONCE) {
    const some = body.runs.slice(i, i + AT_ONCE);
    outcomes.push(...(await Promise.all(some.map((run) => sendOne(services, ns, body, run, fits)))));
  }
  return outcomes;
}

type FitsRun = (run: MulticastBody["runs"][number]) => Promise<boolean>;

/** Whether the data fits the version of each run: one statement for all of them, one check for each version. */
async function fitsRun({ schemas, store }: Services, ns: string, body: MulticastBody): Promise<FitsRun> {
  const { name, data, workflow = "", version = "", runs } = body;
  if (!schemas.coverEvent(ns, name)) return async () => true;
  const ids = runs.flatMap((run) => ("id" in run ? [run.id] : []));
  const versions = ids.length > 0 ? await store.versionsOf(ns, ids) : new Map<string, never>();
  const checked = new Map<string, Promise<boolean>>();
  return async (run) => {
    const of = "id" in run ? versions.get(run.id) : { workflow, version };
    if (!of) return true;
    const key = `${of.workflow}@${of.version}`;
    const fits = checked.get(key) ?? schemas.checkEvent(ns, of, name, data).then(() => true, unlessInvalid);
    checked.set(key, fits);
    return fits;
  };
}

function unlessInvalid(error: unknown): false {
  if (error instanceof AikiError && error.code === "SCHEMA_INVALID") return false;
  throw error;
}

async function sendOne(
  services: Services,
  ns: string,
  body: MulticastBody,
  run: MulticastBody["runs"][number],
  fits: FitsRun,
): Promise<Outcome> {
  const { workflow = "", version = "" } = body;
  const id = "id" in run ? run.id : (await services.store.findByReference(ns, workflow, version, run.reference))?.id;
  if (id === undefined) return { ...run, outcome: "not_found" };
  if (!(await fits(run))) return { ...run, id, outcome: "schema_invalid" };
  const message = { kind: "event", name: body.name, data: body.data } as const;
  const { type } = await append(services, ns, id, eventIdOf(body), message);
  const named = "reference" in run ? { id, reference: run.reference } : { id };
  return { ...named, outcome: type === "appended" ? "sent" : type === "unknown" ? "not_found" : type };
}

/** Unique per run. A reference belongs to the event's name: the same reference for two names is two events. */
function eventIdOf({ id, name, reference }: { id?: string | undefined; name: string; reference?: string | undefined }) {
  return reference === undefined ? id : `ref_${sha256Hex(JSON.stringify([name, reference]))}`;
}
