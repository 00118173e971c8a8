/**
 * Places in a history. The hash of a place covers every record up to it, so that two histories that share a number
 * but not a past (after a restore) never pass for one another.
 */
import type { HistoryCursor } from "@aikirun/protocol";
import { canonicalJson, type HistoryRecord, type JsonValue, sha256Hex } from "@aikirun/protocol/canonical";

/** Before the first record. */
export const START: HistoryCursor = { n: 0, hash: "" };

/** The place after all `records`, given the place of an earlier one: only what came since is hashed. */
export function advanceCursor(from: HistoryCursor, records: readonly HistoryRecord[]): HistoryCursor {
  let { hash } = from;
  for (let i = from.n; i < records.length; i++) {
    // A record is JSON: `undefined` members never enter one.
    hash = sha256Hex(hash + canonicalJson(records[i] as unknown as JsonValue));
  }
  return { n: Math.max(from.n, records.length), hash };
}
