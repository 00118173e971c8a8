/** What all processes counted, by the minute: added up as it comes, and again when it is read. */
import { LIMITS } from "@aikirun/protocol/canonical";
import { BUCKET_COUNT, countOf, type Durations } from "../../core/buckets.js";
import type { EndpointMinute, Minute, StatsStore } from "../port.js";
import { CLOCK, type Connection, type Row, type Statement, type Value } from "./connection.js";

/** An array of the buckets, each made of its place. */
function buckets(each: (place: number) => string): string {
  return `ARRAY[${Array.from({ length: BUCKET_COUNT }, (_, i) => each(i + 1)).join(", ")}]`;
}

const added = (column: string) => buckets((i) => `m.${column}[${i}] + excluded.${column}[${i}]`);
const summed = (column: string) => `${buckets((i) => `sum(${column}[${i}])`)}::int[] AS ${column}`;

const COUNTS = ["started", "completed", "failed", "cancelled", "pushes", "pushes_failed", "push_ms", "start_ms"];
const ENDPOINT_COUNTS = ["pushes", "pushes_failed", "push_ms"];
const plus = (columns: readonly string[]) =>
  columns.map((column) => `${column} = m.${column} + excluded.${column}`).join(", ");
const sums = (columns: readonly string[]) => columns.map((column) => `sum(${column})::bigint AS ${column}`).join(", ");

/** In the order of their keys, as everybody who adds does it. */
const addMinutes: Statement = {
  name: "add_minutes",
  text: `
WITH added AS (
  INSERT INTO aiki.minute AS m (
    ns, at, started, completed, failed, cancelled, pushes, pushes_failed, push_ms, push_buckets, start_ms, start_buckets,
    backlog
  )
  SELECT ns, at, started, completed, failed, cancelled, pushes, pushes_failed, push_ms, push_buckets::int[], start_ms,
    start_buckets::int[], backlog
  FROM unnest(
    $1::text[], $2::bigint[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::bigint[],
    $10::text[], $11::bigint[], $12::text[], $13::int[]
  ) AS i(
    ns, at, started, completed, failed, cancelled, pushes, pushes_failed, push_ms, push_buckets, start_ms, start_buckets,
    backlog
  )
  ORDER BY ns, at
  ON CONFLICT (ns, at) DO UPDATE SET ${plus(COUNTS)}, push_buckets = ${added("push_buckets")},
    start_buckets = ${added("start_buckets")}, backlog = GREATEST(m.backlog, excluded.backlog)
),
endpoints AS (
  INSERT INTO aiki.endpoint_minute AS m (ns, at, endpoint_id, pushes, pushes_failed, push_ms, push_buckets)
  SELECT ns, at, endpoint_id, pushes, pushes_failed, push_ms, push_buckets::int[]
  FROM unnest($14::text[], $15::bigint[], $16::text[], $17::int[], $18::int[], $19::bigint[], $20::text[])
    AS i(ns, at, endpoint_id, pushes, pushes_failed, push_ms, push_buckets)
  ORDER BY ns, at, endpoint_id
  ON CONFLICT (ns, at, endpoint_id) DO UPDATE SET ${plus(ENDPOINT_COUNTS)}, push_buckets = ${added("push_buckets")}
),
old AS (DELETE FROM aiki.minute WHERE at < aiki.now_ms() - ${LIMITS.statsKeptMs}),
old_endpoints AS (DELETE FROM aiki.endpoint_minute WHERE at < aiki.now_ms() - ${LIMITS.statsKeptMs})
SELECT ${CLOCK}`,
};

const readMinutes: Statement = {
  name: "read_minutes",
  text: `
SELECT at / $4::bigint * $4::bigint AS step, ${sums(COUNTS)}, ${summed("push_buckets")}, ${summed("start_buckets")},
  max(backlog) AS backlog
FROM aiki.minute WHERE ns = $1 AND at >= $2::bigint AND at < $3::bigint GROUP BY step ORDER BY step`,
};

const readEndpointMinutes: Statement = {
  name: "read_endpoint_minutes",
  text: `
SELECT at / $4::bigint * $4::bigint AS step, ${sums(ENDPOINT_COUNTS)}, ${summed("push_buckets")}
FROM aiki.endpoint_minute WHERE ns = $1 AND at >= $2::bigint AND at < $3::bigint AND endpoint_id = $5
GROUP BY step ORDER BY step`,
};

const busiestEndpoints: Statement = {
  name: "busiest_endpoints",
  text: `
SELECT endpoint_id, ${sums(ENDPOINT_COUNTS)}, ${summed("push_buckets")}
FROM aiki.endpoint_minute WHERE ns = $1 AND at >= $2::bigint AND at < $3::bigint
GROUP BY endpoint_id ORDER BY pushes DESC, endpoint_id LIMIT $4::int`,
};

const countDue: Statement = {
  name: "count_due",
  text: `
SELECT ns, count(*)::int AS due FROM (
  SELECT ns FROM aiki.actor WHERE hold IS NULL AND due_at <= (SELECT aiki.now_ms()) ORDER BY due_at LIMIT $1::int
) d GROUP BY ns`,
};

export function statsStore(connection: Connection): StatsStore {
  return {
    async addMinutes(minutes, endpoints) {
      await connection.run(addMinutes, [...minuteColumns(minutes), ...endpointColumns(endpoints)]);
    },

    async readMinutes(ns, { from, to }, stepMs) {
      return (await connection.run(readMinutes, [ns, from, to, stepMs])).map((row) => toMinute(ns, row));
    },

    async readEndpointMinutes(ns, endpointId, { from, to }, stepMs) {
      const rows = await connection.run(readEndpointMinutes, [ns, from, to, stepMs, endpointId]);
      return rows.map((row) => ({ ns, endpointId, at: row["step"] as number, ...toPushes(row) }));
    },

    async busiestEndpoints(ns, { from, to }, limit) {
      const rows = await connection.run(busiestEndpoints, [ns, from, to, limit]);
      return rows.map((row) => ({ ns, endpointId: row["endpoint_id"] as string, at: from, ...toPushes(row) }));
    },

    async countDue(most) {
      return (await connection.run(countDue, [most])) as unknown as { ns: string; due: number }[];
    },
  };
}

const arrayText = ({ buckets: counts }: Durations) => `{${counts.join(",")}}`;

function minuteColumns(minutes: readonly Minute[]): Value[] {
  const column = (pick: (minute: Minute) => string | number) => minutes.map(pick);
  return [
    column(({ ns }) => ns),
    column(({ at }) => at),
    column(({ started }) => started),
    column(({ completed }) => completed),
    column(({ failed }) => failed),
    column(({ cancelled }) => cancelled),
    column(({ pushed }) => countOf(pushed)),
    column(({ pushesFailed }) => pushesFailed),
    column(({ pushed }) => pushed.sumMs),
    column(({ pushed }) => arrayText(pushed)),
    column(({ starts }) => starts.sumMs),
    column(({ starts }) => arrayText(starts)),
    column(({ backlog }) => backlog),
  ];
}

function endpointColumns(endpoints: readonly EndpointMinute[]): Value[] {
  return [
    endpoints.map(({ ns }) => ns),
    endpoints.map(({ at }) => at),
    endpoints.map(({ endpointId }) => endpointId),
    endpoints.map(({ pushed }) => countOf(pushed)),
    endpoints.map(({ pushesFailed }) => pushesFailed),
    endpoints.map(({ pushed }) => pushed.sumMs),
    endpoints.map(({ pushed }) => arrayText(pushed)),
  ];
}

function toPushes(row: Row): Pick<Minute, "pushesFailed" | "pushed"> {
  const { pushes_failed: pushesFailed, push_ms: sumMs } = row as Record<string, number>;
  return {
    pushesFailed: pushesFailed ?? 0,
    pushed: { sumMs: sumMs ?? 0, buckets: row["push_buckets"] as number[] },
  };
}

function toMinute(ns: string, row: Row): Minute {
  const counts = row as unknown as Pick<Minute, "started" | "completed" | "failed" | "cancelled" | "backlog">;
  const { started, completed, failed, cancelled, backlog } = counts;
  return {
    ns,
    at: row["step"] as number,
    started,
    completed,
    failed,
    cancelled,
    backlog,
    ...toPushes(row),
    starts: { sumMs: row["start_ms"] as number, buckets: row["start_buckets"] as number[] },
  };
}
