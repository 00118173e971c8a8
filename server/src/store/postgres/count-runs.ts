/** Counts of runs that stay cheap however many there are: each ends at a bound. */
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
