/** Rows of schedules to the words of the core. */
import type { JsonValue } from "@aikirun/protocol";
import type { Recurrence, ScheduleState } from "../../core/schedule.js";
import type { StoredSchedule } from "../port.js";
import type { Row } from "./connection.js";
import { fromText } from "./rows.js";

/** Not `EXISTS`, which a plan that is kept may answer from all live runs at once. */
export const LAST_LIVE =
  "COALESCE((SELECT true FROM aiki.actor a WHERE a.ns = s.ns AND a.run_id = s.last_run_id), false) AS last_live";

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

export function toState(found: Row): ScheduleState {
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

export function toSchedule(found: Row): StoredSchedule {
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
