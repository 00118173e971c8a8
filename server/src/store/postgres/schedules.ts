/** Schedules on Postgres. Each verb is one statement. */
import { cancelOfPrevious, type Firing } from "../../core/schedule.js";
import type { ScheduleStore } from "../port.js";
import { activate } from "./activate-schedule.js";
import { CLOCK, type Connection, type Statement } from "./connection.js";
import { fireSchedule } from "./fire-schedule.js";
import { toText } from "./rows.js";
import { LAST_LIVE, toSchedule, toState } from "./schedule-rows.js";

const listSchedules: Statement = {
  name: "list_schedules",
  text: `
SELECT s.*, ${LAST_LIVE}, ${CLOCK} FROM aiki.schedule s
WHERE ns = $1
  AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR workflow = $3) AND ($4::text IS NULL OR version = $4)
  AND ($5::text IS NULL OR reference = $5) AND ($6::boolean IS NULL OR (next_at IS NULL) = $6)
  AND ($7::text IS NULL OR id < $7)
ORDER BY id DESC LIMIT $8::int`,
};

const deleteSchedule: Statement = {
  name: "delete_schedule",
  text: `
WITH gone AS (DELETE FROM aiki.schedule WHERE ns = $1 AND id = $2 RETURNING id)
SELECT (SELECT count(*) FROM gone) AS gone, ${CLOCK}`,
};

const retimeSchedule: Statement = {
  name: "retime_schedule",
  text: `
WITH changed AS (
  UPDATE aiki.schedule SET seq = seq + 1, next_at = $4::bigint, updated_at = aiki.now_ms()
  WHERE ns = $1 AND id = $2 AND seq = $3::int
  RETURNING id
)
SELECT (SELECT count(*) FROM changed) AS changed, ${CLOCK}`,
};

/** Without the input, which may be large and is not looked at. One row at least: it tells the time. */
const upcomingSchedules: Statement = {
  name: "upcoming_schedules",
  text: `
SELECT s.ns, s.id, s.seq, s.recurrence, s.overlap_policy, s.catch_up, s.anchor_at, s.next_at, s.last_run_id,
  ${LAST_LIVE}, ${CLOCK}
FROM (SELECT 1) one LEFT JOIN LATERAL (
  SELECT * FROM aiki.schedule
  WHERE next_at IS NOT NULL AND (next_at, ns, id) > ($1::bigint, $2::text COLLATE "C", $3::text COLLATE "C")
  ORDER BY next_at, ns, id LIMIT $4::int
) s ON true
ORDER BY s.next_at, s.ns, s.id`,
};

export function scheduleStore(connection: Connection): ScheduleStore {
  return {
    activate: (schedule, max) => activate(connection, schedule, max),

    async getSchedule(ns, id) {
      const [row] = await connection.run(listSchedules, [ns, id, ...conditions({}), null, 1]);
      return row && toSchedule(row);
    },

    async listSchedules(ns, filter, cursor, limit) {
      const values = [ns, null, ...conditions(filter), cursor ?? null, limit];
      return (await connection.run(listSchedules, values)).map(toSchedule);
    },

    async deleteSchedule(ns, id) {
      const [row] = await connection.run(deleteSchedule, [ns, id]);
      return row?.["gone"] === 1;
    },

    async retimeSchedule(ns, id, seq, nextAt) {
      const [row] = await connection.run(retimeSchedule, [ns, id, seq, nextAt ?? null]);
      return row?.["changed"] === 1;
    },

    async upcomingSchedules(after, limit) {
      const rows = await connection.run(upcomingSchedules, [
        after?.nextAt ?? -1,
        after?.ns ?? "",
        after?.id ?? "",
        limit,
      ]);
      return rows.filter((row) => row["id"] !== null).map(toState);
    },

    async fire(firing) {
      const [row] = await connection.run(fireSchedule, valuesOf(firing));
      return row?.["fired"] === 1;
    },
  };
}

function conditions({ workflow, version, reference, status }: Parameters<ScheduleStore["listSchedules"]>[1]) {
  return [workflow ?? null, version ?? null, reference ?? null, status === undefined ? null : status === "paused"];
}

function valuesOf(firing: Firing) {
  const { ns, id, seq, runIds, nextAt, skipped, cause } = firing;
  const cancel = cancelOfPrevious(firing);
  return [
    ns,
    id,
    seq,
    runIds,
    nextAt ?? null,
    skipped,
    cause === "due",
    cancel?.runId ?? null,
    cancel?.eventId ?? null,
    toText(cancel?.body),
  ];
}
