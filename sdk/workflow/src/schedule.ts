/** Schedules: runs of a workflow version that the orchestrator starts by the clock. */
import type { ActivateScheduleBody, Schedule, TriggerScheduleResult, WorkflowClient } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import { type Duration, durationMs } from "./duration.js";
import type { EventMap } from "./event.js";
import type { Args } from "./json.js";
import { checkName } from "./names.js";
import { startBody } from "./start.js";
import type { WorkflowVersion } from "./workflow.js";

interface Policies {
  /** While the run before goes on: start another (default), start none, or cancel it and start another. */
  readonly overlapPolicy?: "allow" | "skip" | "cancel_previous";
  /** After a time in which nothing could fire: one run in all (default), or one for each fire that was missed. */
  readonly catchUp?: "one" | "all";
}

export type ScheduleDefinition =
  | (Policies & {
      readonly type: "cron";
      /** Minute, hour, day of month, month, day of week; seconds may stand in front. */
      readonly expression: string;
      /** An IANA name such as `Europe/Berlin`. Default: UTC, wherever the code runs. */
      readonly timezone?: string;
    })
  | (Policies & {
      readonly type: "interval";
      /** From one second to ten years, counted from the activation. */
      readonly every: Duration;
    });

/** One schedule for each id. Activated with other contents: `update` (default), `error`, or `return_existing`. */
export interface ScheduleReference {
  readonly id: string;
  readonly conflictPolicy?: "update" | "error" | "return_existing";
}

/** A schedule that the orchestrator has. */
export interface ScheduleHandle {
  readonly id: string;
  /** As it was when it was activated, paused or resumed last. */
  readonly schedule: Schedule;
  pause(): Promise<void>;
  /** What was missed while it was paused is not made up for. */
  resume(): Promise<void>;
  /** Starts a run now, under the overlap policy: `started: false` when the run before goes on. */
  trigger(): Promise<TriggerScheduleResult>;
  /** Ends the schedule. Runs that it has started go on. */
  deactivate(): Promise<void>;
}

export interface ScheduleStarter {
  /**
   * Makes the orchestrator start runs of this version with this input. The same again is the same schedule: by its
   * reference id, else by workflow, version, recurrence and input. Rejects with `SCHEMA_INVALID`, `NOT_SERIALIZABLE`,
   * `CRON_INVALID`, `TIME_ZONE_INVALID` before anything is stored, and with what the client rejects with.
   */
  activate<Input, Output, Events extends EventMap, Wire>(
    client: WorkflowClient,
    version: WorkflowVersion<Input, Output, Events, Wire>,
    ...input: Args<Wire>
  ): Promise<ScheduleHandle>;
  with(path: "reference.id", id: string): ScheduleStarter;
  with(path: "reference", reference: ScheduleReference): ScheduleStarter;
}

/** Throws `INVALID_ARGUMENT` or `LIMIT_EXCEEDED` for a definition that no orchestrator would take. */
export function schedule(definition: ScheduleDefinition): ScheduleStarter {
  return starterOf(wireDefinition(definition), undefined);
}

type WireDefinition = Pick<ActivateScheduleBody, "recurrence" | "overlapPolicy" | "catchUp">;

function starterOf(definition: WireDefinition, reference: ScheduleReference | undefined): ScheduleStarter {
  return {
    async activate(client, version, ...input) {
      const { name, versionId, definition: code } = version;
      const started = await startBody({ name, versionId, events: {}, inputSchema: code.schema?.input }, {}, input[0]);
      const body = { ...started, ...definition, ...(reference && { reference }) };
      return scheduleHandle(client, (await client.activateSchedule(body)).schedule);
    },
    with: (path: "reference.id" | "reference", value: string | ScheduleReference) =>
      starterOf(definition, checkedReference(path, reference, value)),
  };
}

function scheduleHandle(client: WorkflowClient, first: Schedule): ScheduleHandle {
  let schedule = first;
  const { id } = first;
  return {
    id,
    get schedule() {
      return schedule;
    },
    async pause() {
      schedule = await client.pauseSchedule(id);
    },
    async resume() {
      schedule = await client.resumeSchedule(id);
    },
    trigger: () => client.triggerSchedule(id),
    async deactivate() {
      try {
        await client.deleteSchedule(id);
      } catch (error) {
        // It is gone, perhaps by this very request, whose first answer was lost.
        if (!(error instanceof AikiError && error.code === "NOT_FOUND")) throw error;
      }
    },
  };
}

const FIELDS = {
  cron: ["type", "expression", "timezone", "overlapPolicy", "catchUp"],
  interval: ["type", "every", "overlapPolicy", "catchUp"],
} as const;
const OVERLAP_POLICIES = ["allow", "skip", "cancel_previous"] as const;
const CATCH_UPS = ["one", "all"] as const;
const CONFLICT_POLICIES = ["update", "error", "return_existing"] as const;

function wireDefinition(definition: ScheduleDefinition): WireDefinition {
  checkOneOf(definition.type, "A schedule's type", ["cron", "interval"]);
  const known: readonly string[] = FIELDS[definition.type];
  for (const name of Object.keys(definition)) checkOneOf(name, `A field of a ${definition.type} schedule`, known);
  const { overlapPolicy, catchUp } = definition;
  if (overlapPolicy !== undefined) checkOneOf(overlapPolicy, "overlapPolicy", OVERLAP_POLICIES);
  if (catchUp !== undefined) checkOneOf(catchUp, "catchUp", CATCH_UPS);
  return {
    recurrence: recurrence(definition),
    ...(overlapPolicy !== undefined && { overlapPolicy }),
    ...(catchUp !== undefined && { catchUp }),
  };
}

function recurrence(definition: ScheduleDefinition): WireDefinition["recurrence"] {
  if (definition.type === "cron") {
    const { expression, timezone } = definition;
    checkName(expression, "A cron expression", LIMITS.cronChars);
    if (timezone !== undefined) checkName(timezone, "A time zone", LIMITS.timezoneChars);
    return { type: "cron", expression, ...(timezone !== undefined && { timezone }) };
  }
  const everyMs = durationMs(definition.every, "The interval of a schedule");
  if (everyMs < LIMITS.scheduleEveryMs) {
    throw new AikiError(
      "LIMIT_EXCEEDED",
      `The interval of a schedule is ${everyMs} ms long; at least ${LIMITS.scheduleEveryMs} ms.`,
    );
  }
  return { type: "interval", everyMs };
}

function checkedReference(
  path: "reference.id" | "reference",
  before: ScheduleReference | undefined,
  value: string | ScheduleReference,
): ScheduleReference {
  checkOneOf(path, "An option of a schedule", ["reference.id", "reference"]);
  const reference = typeof value === "string" ? { ...before, id: value } : value;
  checkName(reference.id, "A reference id", LIMITS.referenceChars);
  if (reference.conflictPolicy !== undefined) checkOneOf(reference.conflictPolicy, "conflictPolicy", CONFLICT_POLICIES);
  return reference;
}

function checkOneOf(value: string, what: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new AikiError("INVALID_ARGUMENT", `${what} must be one of ${known.join(", ")}, not "${String(value)}".`);
}
