import { createExecutor } from "@aikirun/endpoint/executor";
import { AikiError, LIMITS, type WorkerClient } from "@aikirun/protocol";
import {
  type AnyVersion,
  type ContextOption,
  consoleLogger,
  type Logger,
  type ServableVersion,
} from "@aikirun/workflow";
import { Running, type RunningWorker } from "./running.js";

export interface WorkerOptions<Versions extends readonly AnyVersion[] = readonly ServableVersion[]> {
  /** Versions that this worker runs, beside endpoints and other workers that have them too. */
  readonly workflows: Versions;
  /** Takes runs that were started `.with("pool", …)` one of these, too. */
  readonly pools?: readonly string[];
  /** Runs at a time, 1 to 1,000. Default 10. */
  readonly concurrency?: number;
  /** For `run.logger`, task loggers and the worker's own troubles. Default: the console. */
  readonly logger?: Logger;
}

export interface Worker {
  /**
   * Begins to pull. An orchestrator that cannot be reached is told in the log and tried again. Rejects with
   * `SETTING_INVALID` when the client's settings are wrong.
   */
  spawn(client: WorkerClient): Promise<RunningWorker>;
  /** The same as `spawn`. */
  start(client: WorkerClient): Promise<RunningWorker>;
}

const OPTIONS = ["workflows", "pools", "concurrency", "logger", "context"];
const DEFAULT_CONCURRENCY = 10;

/**
 * A process that pulls its work: for code that cannot be reached over HTTP. Does no I/O until it is spawned.
 * `context` is what the handlers find in `run.context`; it must be given when a listed version declares one.
 * Throws `SETTING_INVALID`, or `DUPLICATE_WORKFLOW` for a version that is listed twice.
 */
export function worker<const Versions extends readonly AnyVersion[]>(
  options: WorkerOptions<Versions> & ContextOption<Versions>,
): Worker {
  checkOptions(options);
  const { workflows, pools = [], concurrency = DEFAULT_CONCURRENCY, logger = consoleLogger, context } = options;
  const executor = createExecutor(workflows, { logger, context });
  const spawn = async (client: WorkerClient): Promise<RunningWorker> =>
    new Running({ executor, pools, concurrency, logger, client, orchestratorUrl: client.orchestratorUrl() });
  return { spawn, start: spawn };
}

function checkOptions(options: WorkerOptions<readonly AnyVersion[]>): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw invalid(`worker() has no option ${JSON.stringify(unknown)}. Its options are ${OPTIONS.join(", ")}.`);
  }
  const { workflows, pools = [], concurrency = DEFAULT_CONCURRENCY } = options;
  if (!Array.isArray(workflows) || workflows.length === 0) {
    throw invalid("worker({ workflows }) must list at least one version, as workflow({ name }).v(id, …) returns them.");
  }
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > LIMITS.workerRuns) {
    throw invalid(`worker({ concurrency }) is ${concurrency}. Expected a whole number from 1 to ${LIMITS.workerRuns}.`);
  }
  if (!Array.isArray(pools) || pools.length > LIMITS.workerPools) {
    throw invalid(`worker({ pools }) must be a list of at most ${LIMITS.workerPools} names.`);
  }
  const bad = pools.find((pool) => typeof pool !== "string" || pool === "" || pool.length > LIMITS.nameChars);
  if (bad !== undefined) {
    throw invalid(
      `worker({ pools }) holds ${JSON.stringify(bad)}. A pool's name has 1 to ${LIMITS.nameChars} characters.`,
    );
  }
}

function invalid(message: string): AikiError {
  return new AikiError("SETTING_INVALID", message);
}
