import type { Client } from "@aikirun/client";
import type { HistoryPage } from "@aikirun/protocol";

/** A record with the instant of its commit, by the database's clock. */
export type TimedRecord = HistoryPage["records"][number];

/** All records after record `after`, page after page. */
export async function readWholeHistory(
  aiki: Pick<Client, "readHistory">,
  runId: string,
  after: number,
): Promise<TimedRecord[]> {
  const records: TimedRecord[] = [];
  for (let next: number | undefined = after; next !== undefined; ) {
    const page = await aiki.readHistory(runId, next === 0 ? {} : { after: next });
    records.push(...page.records);
    next = page.next;
  }
  return records;
}
