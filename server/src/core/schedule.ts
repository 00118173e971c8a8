/**
 * When a schedule fires and what a fire does. Pure: instants and states in, decisions out. The store applies a decision
 * under the schedule's fence, so that of any number who decide, one fires.
 */
import type { CatchUp, OverlapPolicy, Recurrence as WireRecurrence } from "@aikirun/protocol";
import { LIMITS, scheduledRunId } from "@aikirun/protocol/canonical";
import { type CronRecurrence, checkedCron, lastCrons, nextCron } from "./cron.js";
import type { NewMessage } from "./run.js";

export type Recurrence = CronRecurrence | { readonly type: "interval"; readonly everyMs: number };

/** A schedule as firing needs it. */
export interface ScheduleState {
  readonly ns: string;
  readonly id: string;
  /** The fence: every change of the schedule raises it. */
  readonly seq: number;
  readonly recurrence: Recurrence;
  readonly overlapPolicy: OverlapPolicy;
  readonly catchUp: CatchUp;
  /** Intervals are counted from here, so that lateness does not add up. */
  readonly anchorAt: number;
  /** Undefined while it is paused. */
  readonly nextAt: number | undefined;
  /** The newest run that it started, and whether that has not ended. */
  readonly last: { readonly runId: string; readonly live: boolean } | undefined;
}

/** One change of a schedule: everything that one statement writes under its fence. */
export interface Firing {
  readonly ns: string;
  readonly id: string;
  readonly seq: number;
  /** `due`: the store, too, sees to it that the time has come. */
  readonly cause: "due" | "trigger";
  /** Runs to start, oldest first. */
  readonly runIds: readonly string[];
  /** Fires that start nothing because the run before goes on. */
  readonly skipped: number;
  /** A run to cancel. */
  readonly cancels: string | undefined;
  readonly nextAt: number | undefined;
}

/** The recurrence as it is kept. Throws `CRON_INVALID` or `TIME_ZONE_INVALID`. */
export function checkedRecurrence(recurrence: WireRecurrence, now: number): Recurrence {
  return recurrence.type === "cron"
    ? checkedCron(recurrence.expression, recurrence.timezone ?? "UTC", now)
    : recurrence;
}

/** The first instant after `after`. */
export function nextAfter({ recurrence, anchorAt }: Pick<ScheduleState, "recurrence" | "anchorAt">, after: number) {
  if (recurrence.type === "cron") return nextCron(recurrence, after);
  return anchorAt + Math.max(1, Math.floor((after - anchorAt) / recurrence.everyMs) + 1) * recurrence.everyMs;
}

/** The next `count` instants of a schedule that is not paused. */
export function upcoming(schedule: ScheduleState, count: number): number[] {
  const instants: number[] = [];
  for (let at = schedule.nextAt; at !== undefined && instants.length < count; at = nextAfter(schedule, at)) {
    instants.push(at);
  }
  return instants;
}

/** What a schedule does whose time has come: `now` is no later than the database's. Undefined: it has not. */
export function fireDue(schedule: ScheduleState, now: number): Firing | undefined {
  const { id, nextAt } = schedule;
  if (nextAt === undefined || nextAt > now) return undefined;
  const runIds = dueInstants(schedule, nextAt, now).map((at) => scheduledRunId(id, at));
  return firing(schedule, "due", runIds, nextAfter(schedule, now));
}

/** A run now, because a person says so. When it fires by itself does not change. */
export function fireNow(schedule: ScheduleState, runId: string): Firing {
  return firing(schedule, "trigger", [runId], schedule.nextAt);
}

function firing(
  schedule: ScheduleState,
  cause: Firing["cause"],
  runIds: readonly string[],
  nextAt: number | undefined,
): Firing {
  const { ns, id, seq, overlapPolicy, last } = schedule;
  const decision = overlap(overlapPolicy, last?.live ?? false);
  return {
    ns,
    id,
    seq,
    cause,
    runIds: decision === "skip" ? [] : runIds,
    skipped: decision === "skip" ? 1 : 0,
    cancels: decision === "replace" ? last?.runId : undefined,
    nextAt,
  };
}

/** A run counts as live until it has ended, also while it is paused or stalled. */
export function overlap(policy: OverlapPolicy, previousLive: boolean): "start" | "skip" | "replace" {
  if (policy === "allow" || !previousLive) return "start";
  return policy === "skip" ? "skip" : "replace";
}

/** The message that ends the run before. Its id is the fire's own, so that a fire can send it once only. */
export function cancelOfPrevious({ ns, id, cancels, runIds }: Firing): NewMessage | undefined {
  if (cancels === undefined) return undefined;
  const body = { kind: "cancel", reason: `${id} started its next run` } as const;
  return { ns, runId: cancels, eventId: `next_${runIds[0]}`, body };
}

/**
 * The instants that one fire makes up for. Under `skip` and `cancel_previous` it is one, whatever `catchUp` says: of
 * several runs started together all but one would be skipped or cancelled.
 */
function dueInstants(schedule: ScheduleState, nextAt: number, now: number): number[] {
  const { catchUp, overlapPolicy, recurrence } = schedule;
  if (catchUp === "one" || overlapPolicy !== "allow") return [nextAt];
  const latest =
    recurrence.type === "cron"
      ? lastCrons(recurrence, now, LIMITS.catchUpRuns)
      : lastIntervals(nextAt, recurrence.everyMs, now, LIMITS.catchUpRuns);
  const missed = latest.filter((at) => at >= nextAt);
  // Were the time zone's rules changed since `nextAt` was made, it would be none of them.
  return missed.length > 0 ? missed : [nextAt];
}

function lastIntervals(nextAt: number, everyMs: number, until: number, most: number): number[] {
  const count = Math.floor((until - nextAt) / everyMs) + 1;
  const skipped = Math.max(0, count - most);
  return Array.from({ length: count - skipped }, (_, i) => nextAt + (skipped + i) * everyMs);
}
