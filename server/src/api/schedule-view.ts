/** What the outside sees of a schedule. */
import type { Schedule, ScheduleSummary } from "@aikirun/protocol";
import { upcoming } from "../core/schedule.js";
import type { StoredSchedule } from "../store/port.js";

/** Instants that one schedule shows. */
const UPCOMING = 5;

export function toSummary(schedule: StoredSchedule): ScheduleSummary {
  const { id, reference, workflow, version, recurrence, overlapPolicy, catchUp, nextAt, lastAt, last } = schedule;
  const { started, skipped, createdAt, updatedAt } = schedule;
  return {
    id,
    ...(reference === undefined ? {} : { reference }),
    workflow,
    version,
    recurrence,
    overlapPolicy,
    catchUp,
    status: nextAt === undefined ? "paused" : "active",
    ...(nextAt === undefined ? {} : { nextAt }),
    ...(lastAt === undefined ? {} : { lastAt }),
    ...(last === undefined ? {} : { lastRun: last.runId }),
    started,
    skipped,
    createdAt,
    updatedAt,
  };
}

export function toSchedule(schedule: StoredSchedule): Schedule {
  const { input, retry, timeoutMs, pool } = schedule;
  return {
    ...toSummary(schedule),
    ...(input === undefined ? {} : { input }),
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(pool === undefined ? {} : { pool }),
    upcoming: upcoming(schedule, UPCOMING),
  };
}
