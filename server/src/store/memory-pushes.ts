/** Pushes in memory, kept with their runs. */

import { isLive, keepPush } from "./memory-row.js";
import type { MemoryRuns } from "./memory-runs.js";
import type { PushStore } from "./port.js";

export function memoryPushes(runs: MemoryRuns): PushStore {
  return {
    async notePushes(pushes) {
      for (const { ns, runId, ...push } of pushes) {
        const row = runs.find(ns, runId);
        if (row && !row.pushes.some((known) => known.push.id === push.push.id)) keepPush(row, push);
      }
    },
    listPushes: async (ns, runId) => runs.find(ns, runId)?.pushes.toReversed() ?? [],
  };
}

/** Runs that are due and in nobody's hands. */
export function countDue(runs: MemoryRuns, most: number): { ns: string; due: number }[] {
  const now = runs.now().latest;
  const counts = new Map<string, number>();
  const due = [...runs.rows.values()].filter(
    (row) => isLive(row) && row.leaseUntil === null && row.dueAt !== null && row.dueAt <= now,
  );
  for (const { facts } of due.slice(0, most)) counts.set(facts.ns, (counts.get(facts.ns) ?? 0) + 1);
  return [...counts].map(([ns, count]) => ({ ns, due: count }));
}
