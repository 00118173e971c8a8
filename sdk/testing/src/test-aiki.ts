/** Aiki in a test: a store in memory, the product's dispatcher and replay, and time that passes when the test says so. */
import { AikiError, type WorkflowClient } from "@aikirun/protocol";
import { memoryStore, type Store } from "@aikirun/server/testing";
import {
  type AnyVersion,
  type Args,
  type ContextSource,
  type Duration,
  durationMs,
  type EventMap,
  type Json,
  type Logger,
  type RunHandle,
  type Task,
  type WorkflowStarter,
  type WorkflowVersion,
} from "@aikirun/workflow";
import { chance, idsFrom } from "./chance.js";
import { Endpoint } from "./endpoint.js";
import { Ends } from "./ends.js";
import { FaultPlan, type Faults } from "./faults.js";
import { type TaskAttempt, type TaskMock, Tasks } from "./mock.js";
import { NAMESPACE, type NetworkOptions, network, recorder } from "./network.js";
import { Orchestrators } from "./orchestrators.js";
import { recordedRun } from "./recorded-run.js";
import { outputOf, type TestRun } from "./run.js";
import { testClient } from "./test-client.js";
import { Versions } from "./versions.js";
import { World } from "./world.js";

export interface TestAikiOptions {
  /** All that may run, children too. */
  readonly workflows: readonly AnyVersion[];
  /** What stands in for tasks. A task without a mock runs its own handler. */
  readonly tasks?: readonly TaskMock[];
  /**
   * What handlers find in `run.context`, or a function that makes it, as for `serveAiki`; what the function throws fails
   * the test. Not tied to what the versions declare, so that a mock may use the client of its own test.
   */
  readonly context?: ContextSource<unknown>;
  /** Refuses tasks without a mock, with `TASK_NOT_MOCKED`. */
  readonly strict?: boolean;
  /** The virtual time at which the test begins. Default: the first moment of 2026. */
  readonly start?: Date;
  /** `false`: a push ends with each step, as where endpoints cannot reach the orchestrator. Default `true`. */
  readonly checkpoints?: boolean;
  /** How long, in virtual time, one invocation may last. Default 15 minutes, as on Node. */
  readonly maxDuration?: Duration;
  /** Milliseconds of real time that user code may spend waiting for something real before virtual time goes on. Default 1,000. */
  readonly patienceMs?: number;
  /** Default: nothing is written. */
  readonly logger?: Logger;
}

/** Rather than until the end of time: the virtual time that may pass. */
export interface Within {
  readonly within?: Duration;
}

export interface TestAiki {
  /** For code that takes a client: starts and steers the runs of this test, and of no other. */
  readonly client: WorkflowClient;
  readonly faults: Faults;
  /** The virtual time. */
  now(): Date;
  /** Starts a run. Resolves when the run has come as far as it comes without time passing. */
  start<Wire, Output, Events extends EventMap>(
    version: WorkflowStarter<Wire, Output, Events>,
    ...input: Args<Wire>
  ): Promise<TestRun<Output, Events>>;
  /** The runs of a version, oldest first: also children, and what user code has started. */
  runs<Input, Output, Events extends EventMap, Wire, Context>(
    version: WorkflowVersion<Input, Output, Events, Wire, Context>,
  ): Promise<TestRun<Output, Events>[]>;
  /** Lets so much virtual time pass, and everything happen that is due in it. */
  advance(duration: Duration): Promise<void>;
  /** Lets virtual time pass until every run has ended. Rejects with `RUN_STUCK` when one does not. */
  settle(options?: Within): Promise<void>;
  /** Every attempt of a task that was carried out, in order; also the repeated ones that nothing is recorded of. */
  calls<Wire, Output>(task: Task<Wire, Output>): readonly TaskAttempt<Wire, Output>[];
}

const DEFAULT_START = Date.UTC(2026, 0, 1);
const DEFAULT_MAX_DURATION: Duration = { minutes: 15 };
const DEFAULT_PATIENCE_MS = 1_000;
const MOST_RUNS = 10_000;
const drop = (): void => {};
const SILENT: Logger = { trace: drop, debug: drop, info: drop, warn: drop, error: drop };

/** Throws `INVALID_ARGUMENT`, `DUPLICATE_WORKFLOW`. Nothing has to be closed. */
export function testAiki(options: TestAikiOptions): TestAiki {
  const { world, store, tasks, faults, client, ends } = assemble(options);

  function testRun<Output, Events extends EventMap>(handle: RunHandle<Output, Events>): TestRun<Output, Events> {
    return Object.assign(handle, {
      result: async ({ within }: Within = {}) => outputOf(await ends.ended(handle.id, msOf(within))) as Json<Output>,
      history: () => recordedRun(store, handle.id),
    });
  }

  return {
    client,
    faults,
    now: () => new Date(world.clock.now),
    async start(version, ...input) {
      const handle = await version.start(client, ...input);
      world.check();
      return testRun(handle);
    },
    async runs(version) {
      const { name: workflow, versionId } = version;
      const { runs: found } = await store.listRuns(NAMESPACE, { workflow, version: versionId }, undefined, MOST_RUNS);
      const handles = await Promise.all(found.map(({ id }) => version.getHandleById(client, id)));
      return handles.reverse().map(testRun);
    },
    async advance(duration) {
      const ms = durationMs(duration, "The time to advance by");
      await world.pass({ ms, asked: true, wholly: true }, () => false);
    },
    settle: ({ within } = {}) => ends.allEnded(msOf(within)),
    calls: <Wire, Output>(task: Task<Wire, Output>) =>
      // What was noted under a task's name was given to it and came from it.
      tasks.attempts(task.name) as readonly TaskAttempt<Wire, Output>[],
  };
}

function assemble(options: TestAikiOptions) {
  const { maxDuration = DEFAULT_MAX_DURATION, logger = SILENT, checkpoints = true, context } = options;
  const versions = new Versions(options.workflows);
  const store: Store = memoryStore({ now: () => world.clock.now });
  const world = new World({
    startAt: startOf(options.start),
    patienceMs: options.patienceMs ?? DEFAULT_PATIENCE_MS,
    nextDueAt: () => store.nextDueAt(),
    wake: () => orchestrators.current.wake(),
  });
  const newId = idsFrom(chance(), () => world.clock.now);
  const tasks = new Tasks({ world, mocks: options.tasks ?? [], strict: options.strict ?? false });
  const faults = new FaultPlan();
  const wires: NetworkOptions = {
    world,
    faults,
    versions,
    budgetMs: durationMs(maxDuration, "maxDuration"),
    endpoint: () => endpoint,
    orchestrators: () => orchestrators,
  };
  const record = checkpoints ? recorder(wires) : undefined;
  const endpoint = new Endpoint({ world, versions, tasks, random: chance(), logger, context, record });
  const orchestrators = new Orchestrators({ world, store, random: chance(), newId, delivery: network(wires) });
  const ends = new Ends(world, store, orchestrators);
  const client = testClient({ world, store, orchestrators, newId, ends });
  return { world, store, tasks, faults, client, ends };
}

function startOf(start: Date | undefined): number {
  if (start === undefined) return DEFAULT_START;
  if (start instanceof Date && start.getTime() >= 0) return start.getTime();
  throw new AikiError("INVALID_ARGUMENT", "start must be a valid Date after 1970.");
}

function msOf(within: Duration | undefined): number | undefined {
  return within === undefined ? undefined : durationMs(within, "within");
}
