import { AikiError, type HistoryPage, historyPageSchema, type Run, runSchema } from "@aikirun/protocol";
import type { Store } from "@aikirun/server/testing";
import * as z from "zod";
import { NAMESPACE } from "./network.js";
import { wireCopy } from "./wire-copy.js";

/** A run and what is recorded of it: what `aiki runs history --json` prints. */
export interface RecordedRun {
  readonly run: Run;
  readonly records: HistoryPage["records"];
}

/** What a replay needs of one. Whatever else a newer or older version prints is left out. */
export const recordedRunSchema = z.object({
  run: runSchema
    .pick({ id: true, workflow: true, version: true, input: true, reference: true, runAttempt: true, createdAt: true })
    .strip(),
  records: historyPageSchema.shape.records,
});

const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 64 * 1024 * 1024;

export async function recordedRun(store: Store, runId: string): Promise<RecordedRun> {
  const run = await store.getRun(NAMESPACE, runId);
  if (!run) throw new AikiError("NOT_FOUND", `There is no run ${runId} in this test.`);
  const records: RecordedRun["records"] = [];
  for (let more = true; more; ) {
    const part = await store.readHistory(NAMESPACE, runId, records.length, PAGE_RECORDS, PAGE_BYTES);
    records.push(...((part?.records ?? []) as RecordedRun["records"]));
    more = part?.more ?? false;
  }
  return wireCopy({ run, records });
}
