/** The pushes of a run: most stand beside the first record that they brought, the others in a table of their own. */
import { LIMITS } from "@aikirun/protocol/canonical";
import type { PushMark } from "../../core/run.js";
import type { PushStore } from "../port.js";
import { CLOCK, type Connection, type Statement } from "./connection.js";

const PREFIX = "push_";

/** Short, because it is written with each step: what most pushes have in common is left out. */
export function pushText({ id, endpointId, seq, durationMs, delivery, checkpoints }: PushMark): string {
  const common = `${id.slice(PREFIX.length)} ${endpointId} ${seq} ${durationMs}`;
  return delivery === 1 && checkpoints === 0 ? common : `${common} ${delivery} ${checkpoints}`;
}

function fromPushText(text: string): PushMark {
  const [id = "", endpointId = "", ...numbers] = text.split(" ");
  const [seq = 0, durationMs = 0, delivery = 1, checkpoints = 0] = numbers.map(Number);
  return { id: PREFIX + id, endpointId, seq, durationMs, delivery, checkpoints };
}

/** Leaves room for the `n` that the same statement inserts for a run of `kept`, which this does not see yet. */
export const DROP_OLD_PUSHES = `
  DELETE FROM aiki.push p USING kept k
  WHERE p.ns = k.ns AND p.run_id = k.run_id AND p.push_id <= (
    SELECT o.push_id FROM aiki.push o WHERE o.ns = k.ns AND o.run_id = k.run_id
    ORDER BY o.push_id DESC OFFSET GREATEST(0, ${LIMITS.keptPushes} - k.n) LIMIT 1
  )`;

const notePushes: Statement = {
  name: "note_pushes",
  text: `
WITH noted AS (
  INSERT INTO aiki.push (ns, run_id, push_id, gen, at, push, code, message)
  SELECT i.* FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[]
  ) AS i(ns, run_id, push_id, gen, at, push, code, message)
  WHERE EXISTS (SELECT FROM aiki.run r WHERE r.ns = i.ns AND r.id = i.run_id)
  ON CONFLICT DO NOTHING
  RETURNING ns, run_id
),
kept AS (SELECT ns, run_id, count(*)::int AS n FROM noted GROUP BY ns, run_id),
dropped AS (${DROP_OLD_PUSHES})
SELECT ${CLOCK}`,
};

const listPushes: Statement = {
  name: "list_pushes",
  text: `
SELECT * FROM (
  (SELECT gen, at, push, NULL AS code, NULL AS message FROM aiki.record
   WHERE ns = $1 AND run_id = $2 AND push IS NOT NULL ORDER BY n DESC LIMIT ${LIMITS.keptPushes})
  UNION ALL
  (SELECT gen, at, push, code, message FROM aiki.push
   WHERE ns = $1 AND run_id = $2 ORDER BY push_id DESC LIMIT ${LIMITS.keptPushes})
) x ORDER BY at DESC, push DESC LIMIT ${LIMITS.keptPushes}`,
};

interface PushRow {
  readonly gen: number;
  readonly at: number;
  readonly push: string;
  readonly code: string | null;
  readonly message: string | null;
}

export function pushStore(connection: Connection): PushStore {
  return {
    async notePushes(pushes) {
      await connection.run(notePushes, [
        pushes.map(({ ns }) => ns),
        pushes.map(({ runId }) => runId),
        pushes.map(({ push }) => push.id),
        pushes.map(({ gen }) => gen),
        pushes.map(({ at }) => at),
        pushes.map(({ push }) => pushText(push)),
        pushes.map(({ code }) => code ?? null),
        pushes.map(({ message }) => message ?? null),
      ]);
    },

    async listPushes(ns, runId) {
      const rows = (await connection.run(listPushes, [ns, runId])) as unknown as readonly PushRow[];
      return rows.map(({ gen, at, push, code, message }) => ({
        gen,
        at,
        push: fromPushText(push),
        ...(code !== null && { code }),
        ...(message !== null && { message }),
      }));
    },
  };
}
