/** What a run waits for, in words for people. */
import type { HistoryRecord, OpenWait, RunStatus } from "@aikirun/protocol";
import { childOfWait, hiddenByRetry, parseEntryKey } from "@aikirun/protocol/canonical";
import type { RunFacts, Trouble } from "./run.js";
import { isOpen } from "./state.js";

/**
 * What a live run waits for: the open waits of its history, and an endpoint when nobody serves its version; somebody who
 * has the run in hand serves it. `records` in order; of those that a later record of their key replaces only what `retried`
 * says is needed.
 */
export function waitsOfRun(
  records: Iterable<HistoryRecord>,
  facts: Pick<RunFacts, "workflow" | "version"> & { readonly status: RunStatus },
  trouble: Pick<Trouble, "code"> | undefined,
): OpenWait[] {
  const waits = waitsOf(records, facts);
  if (trouble?.code === "WORKFLOW_NOT_SERVED" && facts.status !== "running")
    waits.push({ kind: "endpoint", name: `${facts.workflow}@${facts.version}` });
  return waits;
}

/** The open waits of a history, in the order in which they were opened. */
function waitsOf(records: Iterable<HistoryRecord>, { workflow }: Pick<RunFacts, "workflow">): OpenWait[] {
  const entries = new Map<string, HistoryRecord>();
  for (const record of records) {
    entries.set(record.key, record);
    if (record.kind === "run" && record.value.state === "retried") {
      for (const key of hiddenByRetry(entries.values())) entries.delete(key);
    }
  }
  const waits: OpenWait[] = [];
  for (const entry of entries.values()) {
    const wait = isOpen(entry) ? waitOf(entry, entries, workflow) : undefined;
    if (wait) waits.push(wait);
  }
  return waits;
}

function waitOf(
  entry: HistoryRecord,
  entries: ReadonlyMap<string, HistoryRecord>,
  workflow: string,
): OpenWait | undefined {
  const address = parseEntryKey(entry.key)?.address ?? "";
  const { kind, value } = entry;
  if (kind === "sleep" && value.state === "sleeping") return { kind, name: address, at: value.wakeAt };
  if (kind === "task" && value.state === "retrying") {
    return { kind: "retry", name: address.slice(0, address.lastIndexOf(":")), at: value.nextAttemptAt };
  }
  if (kind === "run" && value.state === "retrying") return { kind: "retry", name: workflow, at: value.nextAttemptAt };
  if (kind === "event" && value.state === "waiting") {
    return { kind, name: address, ...(value.timeoutAt === undefined ? {} : { at: value.timeoutAt }) };
  }
  if (kind === "wait" && value.state === "waiting") {
    const childKey = childOfWait(entry.key) ?? "";
    const child = entries.get(childKey);
    return {
      kind: "child",
      name: childKey.slice("child:".length),
      ...(value.timeoutAt === undefined ? {} : { at: value.timeoutAt }),
      ...(child?.kind === "child" ? { runId: child.value.runId } : {}),
    };
  }
  return undefined;
}
