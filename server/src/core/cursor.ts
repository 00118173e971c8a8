/**
 * Places in a history. The hash of a place covers every record up to it, so that two histories that share a number
 * but not a past (after a restore) never pass for one another.
 */
import type { HistoryCursor } from "@aikirun/protocol";
import { canonicalJson, type HistoryRecord, type JsonValue, sha256Hex } from "@aikirun/protocol/canonical";

/** Before the first record. */
export const START: HistoryCursor = { n: 0, hash: "" };

/** The place after the records that came next. */
export function advanceCursor(from: HistoryCursor, next: readonly HistoryRecord[]): HistoryCursor {
  let { hash } = from;
  for (const record of next) {
    // A record is JSON: `undefined` members never enter one.
    hash = sha256Hex(hash + canonicalJson(record as unknown as JsonValue));
  }
  return { n: from.n + next.length, hash };
}
