/** Opens a failed run again. */
import type { RunStatus } from "@aikirun/protocol";
import { RUN_KEY } from "../../core/draft.js";
import type { RetryOutcome } from "../port.js";
import { retryDuplicates } from "./appends.js";
import { CLOCK, type Connection, type Statement } from "./connection.js";

/**
 * The actor row, which the failing commit deleted, is made again under a generation that nobody has had. The run goes on
 * reading its mail where it stopped; its own message comes last and takes a number of the mailbox, so that a child's end
 * that is being put there at the same time cannot be missed. `retried` stands first: an index looks for it.
 */
const retryRun: Statement = {
  name: "retry_run",
  text: `
WITH opened AS (
  UPDATE aiki.run r SET status = NULL, ended_at = NULL, output = NULL, error = NULL, failed_task = NULL, reason = NULL,
    last_commit = NULL
  WHERE r.ns = $1 AND r.id = $2 AND r.status = 'failed'
    AND NOT EXISTS (SELECT FROM aiki.mailbox m WHERE m.ns = $1 AND m.run_id = $2 AND m.event_id = $3)
  RETURNING r.ns, r.id, r.end_gen + 1 AS gen, r.end_seen, COALESCE(r.end_queued, '{}') AS queued,
    (SELECT COALESCE(max(n), 0) FROM aiki.mailbox m WHERE m.ns = r.ns AND m.run_id = r.id) AS mail_seq,
    (SELECT COALESCE(max(n), 0) FROM aiki.record x WHERE x.ns = r.ns AND x.run_id = r.id) AS records,
    (
      SELECT count(*) FROM aiki.record x
      WHERE x.ns = r.ns AND x.run_id = r.id AND x.kind = 'run' AND x.value LIKE '{"state":"retried"%'
    ) AS retries,
    aiki.now_ms() AS now
),
put AS (
  INSERT INTO aiki.mailbox (ns, run_id, n, accepted_at, event_id, kind, body)
  SELECT ns, id, mail_seq + 1, now, $3, 'retry', '{"kind":"retry"}' FROM opened
),
recorded AS (
  INSERT INTO aiki.record (ns, run_id, n, gen, at, kind, key, value)
  SELECT ns, id, records + 1, gen, now, 'run', $4,
    format('{"state":"retried","runAttempt":%s,"reopenedAt":%s}', retries + 2, now)
  FROM opened
),
acting AS (
  INSERT INTO aiki.actor (ns, run_id, epoch, gen, tries, due_at, status, mail_seq, seen, queued)
  SELECT ns, id, meta.epoch, gen, 0, now, 'queued', mail_seq + 1, COALESCE(end_seen, mail_seq), queued
  FROM opened, aiki.meta
)
SELECT (SELECT count(*) FROM opened)::int AS opened, ${CLOCK}`,
};

const explainRetry: Statement = {
  name: "explain_retry",
  text: `
SELECT COALESCE(r.status, a.status) AS status,
  EXISTS (SELECT FROM aiki.mailbox m WHERE m.ns = $1 AND m.run_id = $2 AND m.event_id = $3) AS duplicate, ${CLOCK}
FROM aiki.run r LEFT JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id
WHERE r.ns = $1 AND r.id = $2`,
};

export async function retry(connection: Connection, ns: string, runId: string, eventId: string): Promise<RetryOutcome> {
  // A run that fails while it is explained why it could not be retried is asked about again.
  for (;;) {
    const [row] = await retryDuplicates(() => connection.run(retryRun, [ns, runId, eventId, RUN_KEY]));
    if (row?.["opened"] === 1) return { type: "retried" };
    const [found] = await connection.run(explainRetry, [ns, runId, eventId]);
    if (!found) return { type: "unknown" };
    if (found["duplicate"] === true) return { type: "duplicate" };
    const status = found["status"] as RunStatus;
    if (status !== "failed") return { type: "not_failed", status };
  }
}
