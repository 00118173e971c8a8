/** Starting runs of a workflow version: options, from a client, as a child of another run. */
import type { StartRunBody, TerminalStatus, WorkflowClient } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import { type Duration, durationMs } from "./duration.js";
import { type ChildCall, engineOf, type RunContext, type StartedChild } from "./engine.js";
import type { EventMap } from "./event.js";
import { type RunHandle, runHandle } from "./handle.js";
import type { Args } from "./json.js";
import { checkName } from "./names.js";
import { recordable } from "./record.js";
import type { RunPromise } from "./run-promise.js";
import { check, type StandardSchemaV1 } from "./schema.js";
import { type StartOutcome, startMany } from "./start-many.js";
import { type WaitOutcome, waitOutcome } from "./wait-outcome.js";

/** When a run starts. `at` may lie in the past; then it starts at once. */
export type Trigger =
  | { readonly type: "immediate" }
  | { readonly type: "delayed"; readonly delay: Duration }
  | { readonly type: "at"; readonly at: Date };

/** The same id and input again is the same run. With another input: `error` (default) or `return_existing`. */
export interface Reference {
  readonly id: string;
  readonly conflictPolicy?: "error" | "return_existing";
}

export interface StartOptions {
  readonly reference?: Reference;
  readonly trigger?: Trigger;
  /** Only workers of this pool run it; its children too, unless they name another. */
  readonly pool?: string;
}

/** Starts runs of one version with fixed options. Not servable: options belong to a start, not to the code. */
export interface WorkflowStarter<Wire, Output, Events extends EventMap> {
  readonly name: string;
  readonly versionId: string;
  /**
   * Starts a run. Rejects with `SCHEMA_INVALID` or `NOT_SERIALIZABLE` before anything is stored, and with what the
   * client rejects with.
   */
  start(client: WorkflowClient, ...input: Args<Wire>): Promise<RunHandle<Output, Events>>;
  /**
   * Starts a run for each input, with an outcome for each, in the order given: one that is refused keeps no other from
   * starting. `reference` gives each run a reference id of its own.
   */
  startMany(
    client: WorkflowClient,
    inputs: readonly Wire[],
    options?: { readonly reference?: (input: Wire, index: number) => string | Reference },
  ): Promise<StartOutcome<Output, Events>[]>;
  /**
   * Starts a run as a child of this one; it runs in parallel with its parent. A reference id is the parent's own: a
   * second call with it gives the same child, or with other input rejects with `REFERENCE_CONFLICT`, unless its
   * `conflictPolicy` is `return_existing`.
   */
  startAsChild(run: RunContext, ...input: Args<Wire>): Promise<ChildHandle<Output>>;
  with(path: "reference.id", id: string): WorkflowStarter<Wire, Output, Events>;
  with(path: "reference", reference: Reference): WorkflowStarter<Wire, Output, Events>;
  with(path: "trigger", trigger: Trigger): WorkflowStarter<Wire, Output, Events>;
  with(path: "pool", pool: string): WorkflowStarter<Wire, Output, Events>;
}

/** A child run, seen from its parent's handler. */
export interface ChildHandle<Output> {
  readonly id: string;
  /** Waits durably until the child has ended: `run_terminated` says that it ended in another status. */
  waitForStatus<Status extends TerminalStatus>(
    status: Status,
  ): RunPromise<WaitOutcome<Status, Output, "run_terminated">>;
  waitForStatus<Status extends TerminalStatus>(
    status: Status,
    options: { readonly timeout?: Duration },
  ): RunPromise<WaitOutcome<Status, Output, "run_terminated" | "timeout">>;
}

/** What a starter needs to know of the version that it starts. */
export interface Startable<Events extends EventMap> {
  readonly name: string;
  readonly versionId: string;
  readonly events: Events;
  readonly inputSchema: StandardSchemaV1 | undefined;
}

export function starter<Wire, Output, Events extends EventMap>(
  version: Startable<Events>,
  options: StartOptions,
): WorkflowStarter<Wire, Output, Events> {
  const { name, versionId } = version;
  return {
    name,
    versionId,
    async start(client, ...input) {
      const body = await startBody(version, options, input[0]);
      const { run } = await client.startRun(body);
      return runHandle<Output, Events>(client, run, version.events);
    },
    async startMany(client, inputs, { reference } = {}) {
      if (options.reference) {
        throw new AikiError(
          "INVALID_ARGUMENT",
          `One reference id is for one run. Give startMany a function: { reference: (input) => id }.`,
        );
      }
      const bodies = inputs.map(async (input, index) => {
        const named = reference?.(input, index);
        const own = typeof named === "string" ? { id: named } : named;
        return startBody(version, { ...options, ...(own && { reference: checkedReference(own) }) }, input);
      });
      return startMany<Output, Events>(client, version.events, bodies);
    },
    async startAsChild(run, ...input) {
      const call = { workflow: name, version: versionId, inputSchema: version.inputSchema, ...childOptions(options) };
      const child = await engineOf(run).startChild(call, input[0]);
      return childHandle<Output>(child);
    },
    with: (path: OptionPath, value: string | Reference | Trigger) =>
      starter<Wire, Output, Events>(version, withOption(options, path, value)),
  };
}

type OptionPath = "reference.id" | "reference" | "trigger" | "pool";

function withOption(options: StartOptions, path: OptionPath, value: string | Reference | Trigger): StartOptions {
  switch (path) {
    case "reference.id":
      return { ...options, reference: checkedReference({ ...options.reference, id: value as string }) };
    case "reference":
      return { ...options, reference: checkedReference(value as Reference) };
    case "trigger":
      return { ...options, trigger: value as Trigger };
    case "pool":
      checkName(value as string, "A pool's name");
      return { ...options, pool: value as string };
    default:
      throw new AikiError(
        "INVALID_ARGUMENT",
        `Unknown option "${String(path)}"; known are reference.id, reference, trigger, pool.`,
      );
  }
}

function checkedReference(reference: Reference): Reference {
  checkName(reference.id, "A reference id", LIMITS.referenceChars);
  const policy = reference.conflictPolicy;
  if (policy !== undefined && policy !== "error" && policy !== "return_existing") {
    throw new AikiError(
      "INVALID_ARGUMENT",
      `conflictPolicy must be "error" or "return_existing", not "${String(policy)}".`,
    );
  }
  return reference;
}

async function startBody<Events extends EventMap>(
  version: Startable<Events>,
  options: StartOptions,
  input: unknown,
): Promise<StartRunBody> {
  const subject = `${version.name}@${version.versionId}`;
  await check(version.inputSchema, input, `The input of ${subject}`);
  const value = recordable(input, `${subject} was given an input`);
  return {
    workflow: version.name,
    version: version.versionId,
    ...(value !== undefined && { input: value }),
    ...(options.reference && { reference: options.reference }),
    ...(options.trigger && { trigger: wireTrigger(options.trigger) }),
    ...(options.pool !== undefined && { pool: options.pool }),
  };
}

function wireTrigger(trigger: Trigger): NonNullable<StartRunBody["trigger"]> {
  switch (trigger.type) {
    case "immediate":
      return { type: "immediate" };
    case "delayed":
      return { type: "delayed", delayMs: durationMs(trigger.delay, "The delay of a start") };
    case "at": {
      const at = trigger.at instanceof Date ? trigger.at.getTime() : Number.NaN;
      if (!(at >= 0)) throw new AikiError("INVALID_ARGUMENT", "trigger.at must be a valid Date after 1970.");
      return { type: "at", at };
    }
    default:
      throw new AikiError("INVALID_ARGUMENT", "A trigger's type must be immediate, delayed or at.");
  }
}

/** A parent's history must not hold instants of its own clock. */
function childOptions(options: StartOptions): Pick<ChildCall, "reference" | "delayMs" | "pool"> {
  const { reference, trigger, pool } = options;
  if (trigger?.type === "at") {
    throw new AikiError("INVALID_ARGUMENT", "startAsChild takes the trigger types immediate and delayed, not at.");
  }
  return {
    reference,
    delayMs: trigger?.type === "delayed" ? durationMs(trigger.delay, "The delay of a child") : undefined,
    pool,
  };
}

function childHandle<Output>(child: StartedChild): ChildHandle<Output> {
  const waitForStatus = <Status extends TerminalStatus>(
    status: Status,
    options: { readonly timeout?: Duration } = {},
  ): RunPromise<WaitOutcome<Status, Output, "run_terminated" | "timeout">> =>
    child.waitForEnd(status, options.timeout, (end) =>
      end ? waitOutcome<Status, Output>(status, end) : { success: false, cause: "timeout" },
    );
  return {
    id: child.runId,
    // The implementation also covers the overload without options, in which only `run_terminated` can come out.
    waitForStatus: waitForStatus as ChildHandle<Output>["waitForStatus"],
  };
}
