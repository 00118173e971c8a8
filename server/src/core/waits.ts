/** What a run waits for, read from its history: for people, and for the check that a waiting run waits for something. */
import type { HistoryRecord, OpenWait } from "@aikirun/protocol";
import { parseEntryKey } from "@aikirun/protocol/canonical";
import type { Trouble } from "./run.js";

/** The open waits of a history, oldest first. O(records): not for the hot path. */
export function openWaits(records: readonly HistoryRecord[], trouble: Trouble | undefined): OpenWait[] {
  const entries = new Map<string, HistoryRecord>();
  for (const record of records) entries.set(record.key, record);
  const waits: OpenWait[] = [];
  if (trouble?.code === "WORKFLOW_NOT_SERVED") waits.push({ kind: "endpoint", name: trouble.message });
  for (const record of entries.values()) {
    const wait = openWait(record, entries);
    if (wait) waits.push(wait);
  }
  return waits;
}

function openWait(record: HistoryRecord, entries: ReadonlyMap<string, HistoryRecord>): OpenWait | undefined {
  const { kind, value, key } = record;
  const address = parseEntryKey(key)?.address ?? "";
  if (kind === "sleep" && value.state === "sleeping") return { kind, name: address, at: value.wakeAt };
  if (kind === "event" && value.state === "waiting") return { kind, name: address, ...until(value.timeoutAt) };
  if (kind === "task" && value.state === "retrying") {
    return { kind: "retry", name: address.slice(0, address.lastIndexOf(":")), at: value.nextAttemptAt };
  }
  if (kind === "wait" && value.state === "waiting") {
    const childKey = address.slice(0, address.lastIndexOf("/"));
    const child = entries.get(childKey);
    const runId = child?.kind === "child" ? child.value.runId : undefined;
    const name = parseEntryKey(childKey)?.address.split(":")[0] ?? childKey;
    return { kind: "child", name, ...until(value.timeoutAt), ...(runId ? { runId } : {}) };
  }
  return undefined;
}

function until(at: number | undefined): { at?: number } {
  return at === undefined ? {} : { at };
}
