/** Schedules on Postgres. Each verb is one statement. */
import type { JsonValue } from "@aikirun/protocol";
import { cancelOfPrevious, type Firing, type Recurrence, type ScheduleState } from "../../core/schedule.js";
import type { ActivateOutcome, NewSchedule, ScheduleStore, StoredSchedule } from "../port.js";
import { CLOCK, type Connection, type Row, type Statement } from "./connection.js";
import { fireSchedule } from "./fire-schedule.js";
import { fromText, toText } from "./rows.js";

/** Not `EXISTS`, which a plan that is kept may answer from all live runs at once. */
const LAST_LIVE =
  "COALESCE((SELECT true FROM aiki.actor a WHERE a.ns = s.ns AND a.run_id = s.last_run_id), false) AS last_live";

/**
 * A schedule that is there already is found by its identity. It may have been committed after this statement began: then
 * neither it nor a new one comes back, and the caller asks again. The bound is counted before, so that activations of
 * the same moment may go past it by their number.
 */
const activateSchedule: Statement = {
  name: "activate_schedule",
  text: `
WITH held AS MATERIALIZED (SELECT count(*) AS n FROM aiki.schedule WHERE ns = $1),
put AS (
  INSERT INTO aiki.schedule AS s (
    ns, id, identity, reference, content_hash, workflow, version, input, retry, timeout_ms, pool, request_hash, recurrence,
    overlap_policy, catch_up, created_at, updated_at, anchor_at, next_at
  )
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bigint, $11, $12, $13, $14, $15, now, now, $16::bigint, $17::bigint
  FROM held, LATERAL (SELECT aiki.now_ms() AS now) clock
  WHERE held.n < $18::int OR EXISTS (SELECT FROM aiki.schedule WHERE ns = $1 AND identity = $3 AND identity <> '')
  ON CONFLICT (ns, identity) WHERE identity <> '' DO UPDATE SET
    content_hash = excluded.content_hash, workflow = excluded.workflow, version = excluded.version,
    input = excluded.input, retry = excluded.retry, timeout_ms = excluded.timeout_ms, pool = excluded.pool,
    request_hash = excluded.request_hash, recurrence = excluded.recurrence, overlap_policy = excluded.overlap_policy,
    catch_up = excluded.catch_up, updated_at = excluded.updated_at,
    seq = s.seq + 1,
    anchor_at = CASE WHEN s.recurrence = excluded.recurrence THEN s.anchor_at ELSE excluded.anchor_at END,
    next_at = CASE WHEN s.next_at IS NULL OR s.recurrence = excluded.recurrence THEN s.next_at ELSE excluded.next_at END
  WHERE $19::boolean AND s.content_hash <> excluded.content_hash
  RETURNING *
),
found AS (
  SELECT put.*, CASE WHEN seq = 0 THEN 'created' ELSE 'updated' END AS outcome FROM put
  UNION ALL
  SELECT old.*, 'unchanged' FROM aiki.schedule old
  WHERE old.ns = $1 AND old.identity = $3 AND old.identity <> '' AND NOT EXISTS (SELECT FROM put)
)
SELECT held.n >= $18::int AS full, s.*, ${LAST_LIVE}, ${CLOCK} FROM held LEFT JOIN found s ON true`,
};

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
  const list: ScheduleStore["listSchedules"] = async (ns, filter, cursor, limit) =>
    (await connection.run(listSchedules, [ns, null, ...conditions(filter), cursor ?? null, limit])).map(toSchedule);
  return {
    activate: (schedule, max) => activate(connection, schedule, max),

    async getSchedule(ns, id) {
      const [row] = await connection.run(listSchedules, [ns, id, ...conditions({}), null, 1]);
      return row && toSchedule(row);
    },

    listSchedules: list,

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

async function activate(connection: Connection, one: NewSchedule, max: number): Promise<ActivateOutcome> {
  const values = [
    one.ns,
    one.id,
    one.identity,
    one.reference ?? null,
    one.contentHash,
    one.workflow,
    one.version,
    toText(one.input),
    toText(one.retry),
    one.timeoutMs ?? null,
    one.pool ?? null,
    one.requestHash,
    toText(one.recurrence),
    one.overlapPolicy,
    one.catchUp,
    one.anchorAt,
    one.nextAt ?? null,
    max,
    one.updates,
  ];
  for (;;) {
    const [row] = await connection.run(activateSchedule, values);
    if (row?.["id"]) {
      return { type: row["outcome"] as "created" | "updated" | "unchanged", schedule: toSchedule(row) };
    }
    if (row?.["full"] === true) return { type: "too_many" };
  }
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

interface StateRow {
  readonly ns: string;
  readonly id: string;
  readonly seq: number;
  readonly recurrence: string;
  readonly overlap_policy: ScheduleState["overlapPolicy"];
  readonly catch_up: ScheduleState["catchUp"];
  readonly anchor_at: number;
  readonly next_at: number | null;
  readonly last_run_id: string | null;
  readonly last_live: boolean;
}

function toState(found: Row): ScheduleState {
  const row = found as unknown as StateRow;
  return {
    ns: row.ns,
    id: row.id,
    seq: row.seq,
    recurrence: JSON.parse(row.recurrence) as Recurrence,
    overlapPolicy: row.overlap_policy,
    catchUp: row.catch_up,
    anchorAt: row.anchor_at,
    nextAt: row.next_at ?? undefined,
    last: row.last_run_id === null ? undefined : { runId: row.last_run_id, live: row.last_live },
  };
}

interface ScheduleRow extends StateRow {
  readonly identity: string;
  readonly reference: string | null;
  readonly content_hash: string;
  readonly workflow: string;
  readonly version: string;
  readonly input: string | null;
  readonly retry: string | null;
  readonly timeout_ms: number | null;
  readonly pool: string | null;
  readonly request_hash: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly last_at: number | null;
  readonly started: number;
  readonly skipped: number;
}

function toSchedule(found: Row): StoredSchedule {
  const row = found as unknown as ScheduleRow;
  return {
    ...toState(found),
    identity: row.identity,
    reference: row.reference ?? undefined,
    contentHash: row.content_hash,
    workflow: row.workflow,
    version: row.version,
    input: fromText<JsonValue>(row.input),
    retry: fromText<NonNullable<StoredSchedule["retry"]>>(row.retry),
    timeoutMs: row.timeout_ms ?? undefined,
    pool: row.pool ?? undefined,
    requestHash: row.request_hash,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastAt: row.last_at ?? undefined,
    started: row.started,
    skipped: row.skipped,
  };
}
