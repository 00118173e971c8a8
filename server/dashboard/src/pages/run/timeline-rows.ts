/** Entries in the order of the page, with those of opened children below them. */
import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { historyQuery } from "../../api/queries.js";
import { type Entry, type Timeline, timelineOf } from "./timeline-model.js";

export interface TimelineRow {
  /** Unique on the page. */
  readonly id: string;
  readonly runId: string;
  readonly entry: Entry;
  readonly depth: number;
  readonly opened: boolean;
}

export function useTimelineRows(runId: string, timeline: Timeline, opened: ReadonlySet<string>): TimelineRow[] {
  const ids = [...opened];
  const live = useMemo(() => liveChildren(timeline.entries), [timeline]);
  const histories = useQueries({ queries: ids.map((id) => historyQuery(id, live.has(id))) });
  const inner = new Map<string, readonly Entry[]>();
  for (const [i, id] of ids.entries()) {
    const records = histories[i]?.data?.records;
    if (records) inner.set(id, timelineOf(records).entries);
  }
  return rowsOf(runId, timeline.entries, inner, opened, 0);
}

function rowsOf(
  runId: string,
  entries: readonly Entry[],
  inner: ReadonlyMap<string, readonly Entry[]>,
  opened: ReadonlySet<string>,
  depth: number,
): TimelineRow[] {
  return entries.flatMap((entry) => {
    const isOpen = entry.childId !== undefined && opened.has(entry.childId);
    const row = { id: `${runId} ${entry.key}`, runId, entry, depth, opened: isOpen };
    const below = isOpen && entry.childId ? (inner.get(entry.childId) ?? []) : [];
    return [row, ...(entry.childId ? rowsOf(entry.childId, below, inner, opened, depth + 1) : [])];
  });
}

function liveChildren(entries: readonly Entry[]): Set<string> {
  return new Set(entries.flatMap(({ childId, to }) => (childId !== undefined && to === undefined ? [childId] : [])));
}
