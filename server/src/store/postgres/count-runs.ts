/** Counts of runs that stay cheap however many there are: each ends at a bound. */
import { type RunStatus, runStatusSchema } from "@aikirun/protocol";
import { IS_UNSERVED, ITS_RUN } from "./claim-runs.js";
import type { Statement } from "./connection.js";

export const countUnserved: Statement = {
  name: "count_unserved",
  text: `
SELECT r.workflow, r.version, count(*)::int AS waiting
FROM (SELECT a.ns, a.run_id FROM aiki.actor a WHERE a.ns = $1 AND ${IS_UNSERVED} ORDER BY a.run_id LIMIT $2::int) a
CROSS JOIN LATERAL (${ITS_RUN}) r
GROUP BY r.workflow, r.version
ORDER BY r.workflow, r.version`,
};

/** Each status from the index that has it, as in `list-scan.ts`: in its order, so that no table is read instead. */
export const countByStatus: Statement = {
  name: "count_by_status",
  text: runStatusSchema.options.map(countOf).join("\nUNION ALL\n"),
};

function countOf(status: RunStatus): string {
  const some = `SELECT FROM ${placeOf(status)} LIMIT $2::int`;
  return `SELECT '${status}' AS status, (SELECT count(*)::int FROM (${some}) s) AS n`;
}

function placeOf(status: RunStatus): string {
  const mine = `ns = $1 AND status = '${status}'`;
  if (["completed", "failed", "cancelled"].includes(status)) return `aiki.run WHERE ${mine} ORDER BY id`;
  if (status === "running") return `aiki.actor WHERE ${mine} AND hold IS NOT NULL AND due_at > 0 ORDER BY due_at`;
  return `aiki.actor WHERE ${mine} AND status <> 'running' ORDER BY run_id`;
}
