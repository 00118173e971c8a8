/** What changes something. Ids are made here, so that a request that is sent again is the same request. */
import type {
  ActivateScheduleBody,
  BulkFilter,
  BulkResult,
  CreatedKey,
  CreateKeyBody,
  Endpoint,
  StartRunBody,
  StartRunResult,
  TriggerScheduleResult,
} from "@aikirun/protocol";
import { type JsonValue, newId } from "@aikirun/protocol/canonical";
import { call } from "./request.js";

export type Verb = "cancel" | "pause" | "resume" | "wakeup" | "requeue" | "retry";
export type BulkVerb = "cancel" | "requeue" | "retry";

export function controlRun(runId: string, verb: Verb, reason?: string): Promise<void> {
  const body = { id: newId("msg"), ...(verb === "cancel" && reason ? { reason } : {}) };
  return call("POST", `/v1/runs/${runId}/${verb}`, { body });
}

export function sendEvent(runId: string, name: string, data: JsonValue | undefined): Promise<{ duplicate: boolean }> {
  return call("POST", `/v1/runs/${runId}/events`, { body: { id: newId("msg"), name, data } });
}

/** One step of a bulk request; `next` in the answer goes into `cursor` of the following one. */
export function controlRuns(
  verb: BulkVerb,
  { id, filter, cursor }: { readonly id: string; readonly filter: BulkFilter; readonly cursor: string | undefined },
): Promise<BulkResult> {
  return call("POST", `/v1/runs/${verb}`, { body: { id, filter, cursor } });
}

export function startRun(body: StartRunBody): Promise<StartRunResult> {
  return call("POST", "/v1/runs", { body: { ...body, id: newId("run") } });
}

export function activateSchedule(body: ActivateScheduleBody): Promise<unknown> {
  return call("POST", "/v1/schedules", { body });
}

export function controlSchedule(id: string, verb: "pause" | "resume"): Promise<unknown> {
  return call("POST", `/v1/schedules/${id}/${verb}`, { body: {} });
}

export function triggerSchedule(id: string): Promise<TriggerScheduleResult> {
  return call("POST", `/v1/schedules/${id}/trigger`, { body: { id: newId("run") } });
}

export function deleteSchedule(id: string): Promise<void> {
  return call("DELETE", `/v1/schedules/${id}`);
}

export function registerEndpoint(url: string, name: string | undefined): Promise<Endpoint> {
  return call("POST", "/v1/endpoints", { body: { url, name } });
}

export function refreshEndpoint(id: string): Promise<Endpoint> {
  return call("POST", `/v1/endpoints/${id}/refresh`, { body: {} });
}

export function removeEndpoint(id: string): Promise<void> {
  return call("DELETE", `/v1/endpoints/${id}`);
}

export function createKey(body: CreateKeyBody): Promise<CreatedKey> {
  return call("POST", "/v1/keys", { body });
}

export function revokeKey(id: string): Promise<void> {
  return call("DELETE", `/v1/keys/${id}`);
}

export function signIn(apiKey: string): Promise<void> {
  return call("POST", "/v1/session", { body: { apiKey } });
}

export function signOut(): Promise<void> {
  return call("DELETE", "/v1/session");
}
