/** The rows on the page: pages that were read, with what the stream has told since laid over them. */
import type { RunSummary } from "@aikirun/protocol";
import type { Change } from "../../api/follow-runs.js";

export interface Overlay {
  /** Newest state of runs by id. */
  readonly changed: ReadonlyMap<string, RunSummary>;
  /** Runs that do not match any more. */
  readonly gone: ReadonlySet<string>;
  /** What the stream watches: the newest runs that match. */
  readonly watched: ReadonlySet<string>;
}

export const NOTHING_CHANGED: Overlay = { changed: new Map(), gone: new Set(), watched: new Set() };

export function applyChange(overlay: Overlay, change: Change): Overlay {
  const changed = new Map(overlay.changed);
  const gone = new Set(overlay.gone);
  const watched = change.whole ? new Set<string>() : new Set(overlay.watched);
  for (const run of change.runs) {
    changed.set(run.id, run);
    gone.delete(run.id);
    watched.add(run.id);
  }
  for (const id of change.gone) watched.delete(id);
  // What newer ones have pushed out of the stream's view is older than all that it still sees; it matches as before.
  const oldest = [...watched].sort()[0] ?? "";
  const left = change.whole ? [...overlay.watched].filter((id) => !watched.has(id)) : change.gone;
  for (const id of left) if (id > oldest) gone.add(id);
  return { changed, gone, watched };
}

/** Ids that the stream has told of and that no page holds, newest first. */
export function freshIds(pages: readonly RunSummary[], { changed, gone }: Overlay): string[] {
  if (changed.size === 0) return [];
  const known = new Set(pages.map(({ id }) => id));
  return [...changed.keys()].filter((id) => !known.has(id) && !gone.has(id)).sort(newestFirst);
}

/** `shown` of the fresh ones take their places among the others; the rest wait until somebody asks for them. */
export function rowsOf(pages: readonly RunSummary[], overlay: Overlay, shown: readonly string[]): RunSummary[] {
  const { changed, gone } = overlay;
  if (changed.size === 0 && gone.size === 0) return [...pages];
  const kept = pages.filter(({ id }) => !gone.has(id)).map((run) => changed.get(run.id) ?? run);
  const fresh = shown.map((id) => changed.get(id)).filter((run) => run !== undefined);
  return fresh.length === 0 ? kept : [...kept, ...fresh].sort((a, b) => newestFirst(a.id, b.id));
}

/** Ids begin with the time at which they were made. */
function newestFirst(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}
