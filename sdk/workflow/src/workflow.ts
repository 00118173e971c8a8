import type { RetryPolicy, WorkflowClient } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import { type Duration, timeLimitMs } from "./duration.js";
import type { WorkflowRun } from "./engine.js";
import type { EventMap, NoEvents } from "./event.js";
import { type RunHandle, runHandle } from "./handle.js";
import { checkName, checkVersion } from "./names.js";
import { checkRetryPolicy } from "./retry.js";
import type { StandardSchemaV1 } from "./schema.js";
import { type VersionEvents, versionEvents } from "./send-event.js";
import { type Startable, starter, type WorkflowStarter } from "./start.js";

export interface VersionDefinition<Input, Output, Events extends EventMap, Wire = Input, Context = unknown> {
  handler(run: WorkflowRun<Events, Context>, input: Input): Output | PromiseLike<Output>;
  readonly events?: Events;
  /**
   * What happens when the handler fails: it runs again from its start, with everything recorded but what failed.
   * Default `{ type: "never" }`.
   */
  readonly retry?: RetryPolicy;
  /**
   * How long a run may take, its retries included, from when it is due (a delayed run: when its delay is over). Then it
   * ends `failed` with `RUN_TIMEOUT`.
   */
  readonly timeout?: Duration;
  /** Input is checked before a run exists and again when it runs; output when the handler returns. */
  readonly schema?: {
    readonly input?: StandardSchemaV1<Wire, Input>;
    readonly output?: StandardSchemaV1<Output, Output>;
  };
}

/**
 * A version with its types erased: what serving and replay need of it. Of its types only the context is left, which
 * whoever serves it must give; `unknown` is none.
 */
export interface ServableVersion<Context = unknown> {
  readonly kind: "workflow.version";
  readonly name: string;
  readonly versionId: string;
  readonly definition: {
    handler(run: never, input: never): unknown;
    readonly events?: EventMap;
    readonly retry?: RetryPolicy;
    readonly timeout?: Duration;
    readonly schema?: { readonly input?: StandardSchemaV1; readonly output?: StandardSchemaV1 };
  };
  /** Only for the compiler. */
  readonly needs?: (context: Context) => void;
}

export interface WorkflowVersion<Input, Output, Events extends EventMap, Wire = Input, Context = unknown>
  extends ServableVersion<Context>,
    WorkflowStarter<Wire, Output, Events> {
  readonly definition: VersionDefinition<Input, Output, Events, Wire, Context>;
  /** Sends to many runs of this version. */
  readonly events: VersionEvents<Events>;
  /** Rejects with `NOT_FOUND`, also when the run belongs to another workflow or version. */
  getHandleById(client: WorkflowClient, runId: string): Promise<RunHandle<Output, Events>>;
  /** With `parent`, the run id of a parent: its child of this version. Rejects with `NOT_FOUND`. */
  getHandleByReferenceId(
    client: WorkflowClient,
    reference: string,
    options?: { readonly parent?: string },
  ): Promise<RunHandle<Output, Events>>;
}

export interface Workflow<Context = unknown> {
  readonly name: string;
  /**
   * Defines a version. A run stays with the version that it started with, so keep a version's code for as long as it
   * has runs. Throws `INVALID_ARGUMENT` for a bad definition.
   */
  v<Input = void, Output = void, Events extends EventMap = NoEvents, Wire = Input>(
    versionId: string,
    definition: VersionDefinition<Input, Output, Events, Wire, Context>,
  ): WorkflowVersion<Input, Output, Events, Wire, Context>;
}

/**
 * Names a workflow; its versions carry the code. `workflow<Context>` declares what its handlers find in `run.context`.
 * Throws `INVALID_ARGUMENT` for a bad name.
 */
export function workflow<Context = unknown>(options: { readonly name: string }): Workflow<Context> {
  const { name } = options;
  checkName(name, "A workflow's name");
  return { name, v: (versionId, definition) => defineVersion(name, versionId, definition) };
}

function defineVersion<Input, Output, Events extends EventMap, Wire, Context>(
  name: string,
  versionId: string,
  definition: VersionDefinition<Input, Output, Events, Wire, Context>,
): WorkflowVersion<Input, Output, Events, Wire, Context> {
  checkVersion(versionId);
  if (typeof definition.handler !== "function") {
    throw new AikiError("INVALID_ARGUMENT", `${name}@${versionId} needs a handler function.`);
  }
  const subject = `${name}@${versionId}`;
  if (definition.retry !== undefined) checkRetryPolicy(definition.retry, subject);
  if (definition.timeout !== undefined) timeLimitMs(definition.timeout, `The timeout of ${subject}`);
  // Without `events` in the definition `Events` is `NoEvents`, which an object without members is.
  const events = definition.events ?? ({} as Events);
  for (const event of Object.keys(events)) checkName(event, `The name of an event of ${name}@${versionId}`);
  const startable: Startable<Events> = { name, versionId, events, inputSchema: definition.schema?.input };
  return {
    ...starter<Wire, Output, Events>(startable, {}),
    kind: "workflow.version",
    definition,
    events: versionEvents({ workflow: name, version: versionId }, events),
    async getHandleById(client, runId) {
      const run = await client.getRun(runId);
      if (run.workflow !== name || run.version !== versionId) {
        throw new AikiError(
          "NOT_FOUND",
          `Run ${runId} is of ${run.workflow}@${run.version}, not of ${name}@${versionId}.`,
        );
      }
      return runHandle<Output, Events>(client, run, events);
    },
    async getHandleByReferenceId(client, reference, options = {}) {
      const run = await client.findRun({ workflow: name, version: versionId, reference, ...options });
      return runHandle<Output, Events>(client, run, events);
    },
  };
}
