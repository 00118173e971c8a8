/** Sending events from outside a run: by a handle to one run, by a version to many. */
import type { MulticastBody, MulticastResult, SendEventBody, WorkflowClient } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import type { AnyEvent, EventMap, SentTo } from "./event.js";
import type { Args } from "./json.js";
import { checkName } from "./names.js";
import { copyJson, recordable } from "./record.js";
import { check } from "./schema.js";

export type SendOutcome = MulticastResult["outcomes"][number];

export interface HandleEvent<Data> {
  /** Resolves once the event is stored; `duplicate`: this reference was sent before. Rejects with `SCHEMA_INVALID`, `RUN_ENDED`. */
  send(...data: Args<Data>): Promise<{ duplicate: boolean }>;
  /** With a reference id a second send to the same run is a no-op. */
  with(path: "reference.id", id: string): HandleEvent<Data>;
}
export type HandleEvents<Events extends EventMap> = {
  readonly [Name in keyof Events]: HandleEvent<SentTo<Events[Name]>>;
};

export interface VersionEvent<Data> {
  /** To one run or many, by run id. One outcome for each, in the order given. */
  send(client: WorkflowClient, runIds: string | readonly string[], ...data: Args<Data>): Promise<SendOutcome[]>;
  /** The same by the reference ids that the runs were started with. */
  sendByReferenceId(
    client: WorkflowClient,
    references: string | readonly string[],
    ...data: Args<Data>
  ): Promise<SendOutcome[]>;
  with(path: "reference.id", id: string): VersionEvent<Data>;
}
export type VersionEvents<Events extends EventMap> = {
  readonly [Name in keyof Events]: VersionEvent<SentTo<Events[Name]>>;
};

export function handleEvents<Events extends EventMap>(
  client: WorkflowClient,
  runId: string,
  events: Events,
): HandleEvents<Events> {
  return eachEvent(events, (name, definition) =>
    handleEvent(client, runId, name, definition, undefined),
  ) as HandleEvents<Events>;
}

export function versionEvents<Events extends EventMap>(
  version: { readonly workflow: string; readonly version: string },
  events: Events,
): VersionEvents<Events> {
  return eachEvent(events, (name, definition) =>
    versionEvent(version, name, definition, undefined),
  ) as VersionEvents<Events>;
}

function eachEvent<Sender>(
  events: EventMap,
  make: (name: string, definition: AnyEvent) => Sender,
): Record<string, Sender> {
  return Object.fromEntries(Object.entries(events).map(([name, definition]) => [name, make(name, definition)]));
}

function handleEvent(
  client: WorkflowClient,
  runId: string,
  name: string,
  definition: AnyEvent,
  reference: string | undefined,
): HandleEvent<unknown> {
  return {
    send: async (data) => client.sendEvent(runId, await eventBody(name, definition, reference, data)),
    with: (_path, id) => handleEvent(client, runId, name, definition, checkedReference(id)),
  };
}

function versionEvent(
  version: { readonly workflow: string; readonly version: string },
  name: string,
  definition: AnyEvent,
  reference: string | undefined,
): VersionEvent<unknown> {
  const send = async (client: WorkflowClient, runs: MulticastBody["runs"], data: unknown): Promise<SendOutcome[]> => {
    const body = await eventBody(name, definition, reference, data);
    const outcomes: SendOutcome[] = [];
    for (let from = 0; from < runs.length; from += LIMITS.batchRuns) {
      const batch = runs.slice(from, from + LIMITS.batchRuns);
      outcomes.push(...(await client.multicastEvent({ ...body, ...version, runs: batch })).outcomes);
    }
    return outcomes;
  };
  return {
    send: (client, runIds, data) =>
      send(
        client,
        list(runIds).map((id) => ({ id })),
        data,
      ),
    sendByReferenceId: (client, references, data) =>
      send(
        client,
        list(references).map((id) => ({ reference: id })),
        data,
      ),
    with: (_path, id) => versionEvent(version, name, definition, checkedReference(id)),
  };
}

async function eventBody(
  name: string,
  definition: AnyEvent,
  reference: string | undefined,
  data: unknown,
): Promise<SendEventBody> {
  const value = recordable(data, `Event ${name} was given data`);
  // What the handler will be given: the decoded JSON, in which a Date is a string.
  await check(definition.schema, copyJson(value), `The data of event ${name}, as JSON,`);
  return { name, ...(value !== undefined && { data: value }), ...(reference !== undefined && { reference }) };
}

function checkedReference(id: string): string {
  checkName(id, "A reference id", LIMITS.referenceChars);
  return id;
}

function list(one: string | readonly string[]): readonly string[] {
  return typeof one === "string" ? [one] : one;
}
