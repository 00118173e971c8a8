/**
 * What time and messages settle in one commit stands in the order of its instants: a timer that came due before a
 * message was accepted is settled ahead of it. Checked on the commits themselves, of which a history shows no borders.
 */
import type { HistoryRecord } from "@aikirun/protocol";
import { dueAtOf } from "../../src/core/state.js";
import type { Row } from "../../src/store/memory-row.js";
import type { RunStore } from "../../src/store/port.js";
import { Violation } from "../violation.js";

export function inOrderOfTime(store: RunStore, rows: ReadonlyMap<string, Row>): RunStore {
  return {
    ...store,
    async commit(commit, leaseMs) {
      const row = [...rows.values()].find(({ facts }) => facts.id === commit.runId);
      // Its timers stand still until somebody requeues it, and are then made up for.
      const isStalled = row?.status === "stalled";
      const seen = row?.seen ?? 0;
      const from = row?.records.length ?? 0;
      const outcome = await store.commit(commit, leaseMs);
      if (row && !isStalled && outcome.type === "committed") checkOrder(row, from, seen);
      return outcome;
    },
  };
}

function checkOrder(row: Row, from: number, seen: number): void {
  const entries = new Map<string, HistoryRecord>();
  for (const record of row.records.slice(0, from)) entries.set(record.key, record);
  let latest = Number.NEGATIVE_INFINITY;
  for (const record of row.records.slice(from)) {
    const before = entries.get(record.key);
    entries.set(record.key, record);
    const at = acceptedAt(row, record, seen) ?? (isTimeUp(record) && before ? dueAtOf(before) : undefined);
    if (at === undefined) continue;
    if (at < latest) throw new Violation("ORDER", `${record.key} of ${at} is settled behind something of ${latest}`);
    latest = at;
  }
}

/** When the message was accepted that made a record, if the commit has read it. */
function acceptedAt(row: Row, { kind, key, value }: HistoryRecord, seen: number): number | undefined {
  const message =
    kind === "event" && value.state === "received"
      ? row.mail[value.message - 1]
      : kind === "child" && value.state === "ended"
        ? row.mail.find(({ body }) => body.kind === "child" && body.key === key)
        : undefined;
  return message && message.n > seen ? message.acceptedAt : undefined;
}

function isTimeUp({ kind, value }: HistoryRecord): boolean {
  if (kind === "task") return value.state === "retrying" && value.due === true;
  return value.state === "timedOut" || (kind === "sleep" && value.state === "completed");
}
