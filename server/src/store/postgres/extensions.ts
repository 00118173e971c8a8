/** `extend`, grouped: a worker extends all that it has in hand at once, and so do the pushes of a busy process. */
import { CLOCK, type Connection, type Statement } from "./connection.js";
import { faultOf } from "./faults.js";
import { Merge } from "./merge.js";

/** Only while leased: a run that its own generation has parked stays parked when an extension arrives late. */
const extendLeases: Statement = {
  name: "extend_leases",
  text: `
WITH input AS MATERIALIZED (
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::bigint[]) AS i(place, ns, run_id, gen, lease_ms)
),
locked AS MATERIALIZED (
  SELECT i.place, i.lease_ms, a.*
  FROM (SELECT * FROM input ORDER BY ns, run_id) i
  CROSS JOIN LATERAL (
    SELECT ns, run_id, cancel_n > seen AS cancel FROM aiki.actor
    WHERE ns = i.ns AND run_id = i.run_id AND gen = i.gen AND lease_until IS NOT NULL FOR UPDATE
  ) a
),
extended AS (
  UPDATE aiki.actor a SET lease_until = aiki.now_ms() + l.lease_ms
  FROM locked l WHERE a.ns = l.ns AND a.run_id = l.run_id
)
SELECT l.*, ${CLOCK} FROM (SELECT 1) one LEFT JOIN (SELECT place, cancel FROM locked) l ON true`,
};

interface Extension {
  readonly ns: string;
  readonly runId: string;
  readonly gen: number;
  readonly leaseMs: number;
}

type Extended = { readonly cancelRequested: boolean } | undefined;

export function extensions(connection: Connection, maxCalls: number): (extension: Extension) => Promise<Extended> {
  const merge = new Merge<Extension, Extended>({
    maxCalls,
    touched: ({ ns, runId }) => ({ own: [JSON.stringify([ns, runId])], shared: [] }),
    run: async (calls) => {
      const outcomes: Extended[] = calls.map(() => undefined);
      const rows = await connection.run(extendLeases, [
        calls.map((_, place) => place),
        calls.map(({ ns }) => ns),
        calls.map(({ runId }) => runId),
        calls.map(({ gen }) => gen),
        calls.map(({ leaseMs }) => leaseMs),
      ]);
      for (const { place, cancel } of rows) {
        if (typeof place === "number") outcomes[place] = { cancelRequested: cancel === true };
      }
      return outcomes;
    },
    isPoisoned: (error) => faultOf(error) === "data",
  });
  return (extension) => merge.add(extension);
}
