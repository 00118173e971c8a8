/**
 * History that a warm endpoint keeps between pushes of a run, so that the next push carries only what is new. Only
 * records that arrived in pushes are kept: the orchestrator has committed those.
 */
import type { HistoryRecord, HistorySlice } from "@aikirun/protocol";
import { History } from "@aikirun/workflow/replay";

export interface KeepLimits {
  /** Runs whose history is kept. 0 keeps none. */
  readonly runs: number;
  /** Bytes of JSON that the kept histories took on the wire. In memory they take a few times as much. */
  readonly bytes: number;
}

export const DEFAULT_KEEP: KeepLimits = { runs: 1_000, bytes: 16 * 1024 * 1024 };

interface Kept {
  readonly history: History;
  readonly n: number;
  readonly hash: string;
  readonly bytes: number;
}

export interface KeptHistory {
  /**
   * The whole history that a slice of so many bytes stands for, remembered from now on unless it is too large for that.
   * Undefined when its beginning is not kept here.
   */
  complete(
    runId: string,
    slice: Pick<HistorySlice, "after" | "head"> & { readonly records: readonly HistoryRecord[] },
    bytes: number,
  ): { readonly history: History; readonly keeps: boolean } | undefined;
  forget(runId: string): void;
}

/** Forgets the histories that were used least recently once there are too many. */
export function keptHistory(limits: KeepLimits): KeptHistory {
  const kept = new Map<string, Kept>();
  let total = 0;

  function forget(runId: string): void {
    total -= kept.get(runId)?.bytes ?? 0;
    kept.delete(runId);
  }
  function keep(runId: string, entry: Kept): boolean {
    forget(runId);
    if (limits.runs === 0 || entry.bytes > limits.bytes) return false;
    kept.set(runId, entry);
    total += entry.bytes;
    for (const oldest of kept.keys()) {
      if (kept.size <= limits.runs && total <= limits.bytes) break;
      forget(oldest);
    }
    return true;
  }
  return {
    forget,
    complete(runId, { after, records, head }, bytes) {
      const { n, hash } = head;
      // The cursor (0, …) is the beginning of every history.
      if (after === undefined || after.n === 0) {
        const history = new History(records);
        return { history, keeps: keep(runId, { history, n, hash, bytes }) };
      }
      const known = kept.get(runId);
      if (known?.n !== after.n || known.hash !== after.hash) return undefined;
      const history = known.history.extended(records);
      return { history, keeps: keep(runId, { history, n, hash, bytes: known.bytes + bytes }) };
    },
  };
}
