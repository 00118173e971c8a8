/**
 * Runs as people see them. Every wait for a run's end reads it once, and runs whose ends were committed together are
 * read together: it is one prepared statement for many.
 */
import type { JsonValue, Run, RunStatus, WireError } from "@aikirun/protocol";
import type { Trouble } from "../../core/run.js";
import { waitsOfRun } from "../../core/waits.js";
import { CLOCK, type Connection, type Row, type Statement } from "./connection.js";
import { faultOf } from "./faults.js";
import { Merge } from "./merge.js";
import { fromText, type RecordRow, toRecord, toSummary } from "./rows.js";

/**
 * Record numbers have no gaps, so that the last one counts them. `open`: of a live run, the last record of each key
 * without the tasks that are over: what it may wait for, and the children waited for; and every `retried`, which says what
 * of that is hidden.
 */
const getRuns: Statement = {
  name: "get_runs",
  text: `
SELECT i.place, r.*, ${CLOCK}
FROM unnest($1::int[], $2::text[], $3::text[]) AS i(place, ns, id)
CROSS JOIN LATERAL (
  SELECT r.id, r.workflow, r.version, coalesce(r.status, a.status) AS status, r.reference, r.parent_id, r.schedule_id, r.created_at,
    r.ended_at, r.input, r.output, r.error, r.failed_task, r.reason, a.lease_until, a.due_at, a.trouble,
    a.run_id IS NOT NULL AS live,
    (
      SELECT count(*) FROM aiki.record
      WHERE ns = i.ns AND run_id = i.id AND kind = 'run' AND value LIKE '{"state":"retried"%'
    ) AS retries,
    (SELECT coalesce(max(n), 0) FROM aiki.record WHERE ns = i.ns AND run_id = i.id) AS records,
    CASE WHEN a.run_id IS NOT NULL THEN (
      SELECT json_agg(json_build_object('n', n, 'kind', kind, 'key', key, 'value', value) ORDER BY n)
      FROM (
        SELECT * FROM (
          SELECT DISTINCT ON (key) n, kind, key, value FROM aiki.record WHERE ns = i.ns AND run_id = i.id
          ORDER BY key, n DESC
        ) last
        WHERE kind <> 'task' OR value LIKE '%"retrying"%'
        UNION
        SELECT n, kind, key, value FROM aiki.record
        WHERE ns = i.ns AND run_id = i.id AND kind = 'run' AND value LIKE '{"state":"retried"%'
      ) open
    ) END AS open
  FROM aiki.run r LEFT JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id
  WHERE r.ns = i.ns AND r.id = i.id
) r`,
};

export function runReader(
  connection: Connection,
  maxCalls: number,
): (ns: string, runId: string) => Promise<Run | undefined> {
  const merge = new Merge<readonly [ns: string, runId: string], Run | undefined>({
    maxCalls,
    // A read that takes long, of a run with a long history, keeps nobody else waiting.
    atOnce: true,
    touched: () => ({ own: [], shared: [] }),
    run: async (calls) => {
      const values = [calls.map((_, place) => place), calls.map(([ns]) => ns), calls.map(([, runId]) => runId)];
      const runs: (Run | undefined)[] = calls.map(() => undefined);
      for (const row of await connection.run(getRuns, values)) runs[row["place"] as number] = toRun(row);
      return runs;
    },
    isPoisoned: (error) => faultOf(error) === "data",
  });
  return (ns, runId) => merge.add([ns, runId]);
}

interface RunRow {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly reference: string | null;
  readonly parent_id: string | null;
  readonly schedule_id: string | null;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly input: string | null;
  readonly output: string | null;
  readonly error: string | null;
  readonly failed_task: string | null;
  readonly reason: string | null;
  readonly retries: number;
  readonly lease_until: number | null;
  readonly due_at: number | null;
  readonly trouble: string | null;
  readonly live: boolean;
  readonly records: number;
  readonly open: readonly RecordRow[] | null;
}

function toRun(found: Row): Run {
  const row = found as unknown as RunRow;
  const input = fromText<JsonValue>(row.input);
  const output = fromText<JsonValue>(row.output);
  const error = fromText<WireError>(row.error);
  const reason = fromText<string>(row.reason);
  const trouble = fromText<Trouble>(row.trouble);
  const { parent_id: parentId, schedule_id: scheduleId, created_at: createdAt, ended_at: endedAt } = row;
  return {
    ...toSummary({ ...row, parentId, scheduleId, createdAt, endedAt }),
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error }),
    ...(row.failed_task === null ? {} : { failedTask: row.failed_task }),
    ...(reason === undefined ? {} : { reason }),
    runAttempt: row.retries + 1,
    records: row.records,
    ...(row.live && row.lease_until === null && row.due_at !== null ? { nextAt: row.due_at } : {}),
    waitsFor: row.live ? waitsOfRun((row.open ?? []).map(toRecord), row, trouble) : [],
    ...(trouble ? { trouble } : {}),
  };
}
