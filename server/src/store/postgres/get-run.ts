/** One run as people see it. Every wait for a run's end reads it once, so it is one prepared statement. */
import type { JsonValue, Run, RunStatus, WireError } from "@aikirun/protocol";
import type { Trouble } from "../../core/run.js";
import { waitsOfRun } from "../../core/waits.js";
import { CLOCK, type Row, type Statement } from "./connection.js";
import { fromText, type RecordRow, toRecord, toSummary } from "./rows.js";

/**
 * Record numbers have no gaps, so that the last one counts them. `open`: of a live run, the last record of each key
 * without the tasks that are over: what it may wait for, and the children waited for.
 */
export const getRun: Statement = {
  name: "get_run",
  text: `
SELECT r.id, r.workflow, r.version, coalesce(r.status, a.status) AS status, r.reference, r.parent_id, r.created_at,
  r.ended_at, r.input, r.output, r.error, r.failed_task, r.reason, r.run_attempt, a.lease_until, a.due_at, a.trouble,
  a.run_id IS NOT NULL AS live,
  (SELECT coalesce(max(n), 0) FROM aiki.record WHERE ns = $1 AND run_id = $2) AS records,
  CASE WHEN a.run_id IS NOT NULL THEN (
    SELECT json_agg(json_build_object('n', n, 'kind', kind, 'key', key, 'value', value) ORDER BY n)
    FROM (
      SELECT DISTINCT ON (key) n, kind, key, value FROM aiki.record WHERE ns = $1 AND run_id = $2 ORDER BY key, n DESC
    ) last
    WHERE kind <> 'task' OR value LIKE '%"retrying"%'
  ) END AS open,
  ${CLOCK}
FROM aiki.run r LEFT JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id
WHERE r.ns = $1 AND r.id = $2`,
};

interface RunRow {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly reference: string | null;
  readonly parent_id: string | null;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly input: string | null;
  readonly output: string | null;
  readonly error: string | null;
  readonly failed_task: string | null;
  readonly reason: string | null;
  readonly run_attempt: number;
  readonly lease_until: number | null;
  readonly due_at: number | null;
  readonly trouble: string | null;
  readonly live: boolean;
  readonly records: number;
  readonly open: readonly RecordRow[] | null;
}

export function toRun(found: Row): Run {
  const row = found as unknown as RunRow;
  const input = fromText<JsonValue>(row.input);
  const output = fromText<JsonValue>(row.output);
  const error = fromText<WireError>(row.error);
  const reason = fromText<string>(row.reason);
  const trouble = fromText<Trouble>(row.trouble);
  const { parent_id: parentId, created_at: createdAt, ended_at: endedAt } = row;
  return {
    ...toSummary({ ...row, parentId, createdAt, endedAt }),
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error }),
    ...(row.failed_task === null ? {} : { failedTask: row.failed_task }),
    ...(reason === undefined ? {} : { reason }),
    runAttempt: row.run_attempt,
    records: row.records,
    ...(row.live && row.lease_until === null && row.due_at !== null ? { nextAt: row.due_at } : {}),
    waitsFor: row.live ? waitsOfRun((row.open ?? []).map(toRecord), row, trouble) : [],
    ...(trouble ? { trouble } : {}),
  };
}
