/**
 * History that a warm endpoint keeps between pushes of a run, so that the next push carries only what is new. Only
 * records that arrived in pushes are kept: the orchestrator has committed those.
 */
import type { HistoryRecord, HistorySlice } from "@aikirun/protocol";

export interface KeepLimits {
  /** Runs whose history is kept. 0 keeps none. */
  readonly runs: number;
  /** Bytes of JSON that the kept histories took on the wire. In memory they take a few times as much. */
  readonly bytes: number;
}

export const DEFAULT_KEEP: KeepLimits = { runs: 1_000, bytes: 16 * 1024 * 1024 };

interface Kept {
  readonly records: readonly HistoryRecord[];
  readonly n: number;
  readonly hash: string;
  readonly bytes: number;
}

export interface KeptHistory {
  /** The whole history that a slice stands for. Undefined when its beginning is not kept here. */
  complete(runId: string, slice: HistorySlice): readonly HistoryRecord[] | undefined;
  /** Remembers a history that `complete` returned. False when it is too large to be kept. */
  keep(runId: string, slice: HistorySlice, records: readonly HistoryRecord[], bytes: number): boolean;
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
  return {
    forget,
    complete(runId, { after, records }) {
      // The cursor (0, …) is the beginning of every history.
      if (after === undefined || after.n === 0) return records;
      const known = kept.get(runId);
      if (known?.n !== after.n || known.hash !== after.hash) return undefined;
      return [...known.records, ...records];
    },
    keep(runId, { after, head }, records, bytes) {
      const before = after && after.n > 0 ? (kept.get(runId)?.bytes ?? 0) : 0;
      forget(runId);
      const size = before + bytes;
      if (limits.runs === 0 || size > limits.bytes) return false;
      kept.set(runId, { records, n: head.n, hash: head.hash, bytes: size });
      total += size;
      for (const oldest of kept.keys()) {
        if (kept.size <= limits.runs && total <= limits.bytes) break;
        forget(oldest);
      }
      return true;
    },
  };
}
