/** Where pushes arrive: the product's replay on virtual time, with a test's mocks under it. */
import type { Command, ExecuteAnswer, ExecuteRequest } from "@aikirun/protocol";
import type { CheckpointOutcome, DeliveryOutcome } from "@aikirun/server/testing";
import type { AnyVersion, ContextSource, Logger } from "@aikirun/workflow";
import {
  type Checkpoint,
  type Checkpointed,
  defaultHost,
  execute,
  type Host,
  makeContext,
} from "@aikirun/workflow/replay";
import { divergenceText } from "./divergence-text.js";
import type { Tasks } from "./mock.js";
import { afterRealMs } from "./real-time.js";
import type { Versions } from "./versions.js";
import { wireCopy } from "./wire-copy.js";
import type { World } from "./world.js";

export interface EndpointOptions {
  readonly world: World;
  readonly versions: Versions;
  readonly tasks: Tasks;
  readonly random: () => number;
  readonly logger: Logger;
  /** For `run.context`. */
  readonly context: ContextSource<unknown> | undefined;
  /** Records what an invocation has done so far; undefined when the acknowledgement was lost. Absent: there is no way. */
  readonly record:
    | ((request: ExecuteRequest, body: CheckpointBody) => Promise<CheckpointOutcome | undefined>)
    | undefined;
}

type CheckpointBody = Pick<ExecuteAnswer, "runId" | "pushId" | "epoch" | "gen" | "seq" | "commands">;

/** Milliseconds of real time without a call before a handler is believed to have changed or to wait for nothing more. */
const GRACE_MS = 20;
/** What a replay asks for when it means that time, which virtual time cannot measure. */
const GRACE = 0;

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #host: Host;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#host = hostOn(options.world, options.random);
  }

  async handle(request: ExecuteRequest, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { world, versions, tasks, logger } = this.#options;
    const { run, pushId, fence, history, budgetMs } = request;
    const workflow = versions.get(run.workflow, run.version) as AnyVersion;
    const work = world.begin();
    const checkpoints = this.#checkpoints(request);
    try {
      const execution = await execute({
        workflow,
        run,
        records: history.records,
        host: this.#host,
        logger,
        context: await makeContext(this.#options.context, run, undefined),
        signal,
        budgetMs,
        graceMs: GRACE,
        perform: tasks.performer(work),
        ...(checkpoints && { checkpoint: checkpoints.checkpoint }),
      });
      if (execution.state === "diverged") {
        const { divergence } = execution;
        const message = `Run ${run.id} does not fit its own code. ${divergenceText(divergence)} A handler takes chance and time from tasks only.`;
        return { type: "diverged", divergence, message };
      }
      const { state, commands } = execution;
      const seq = checkpoints?.seq() ?? fence.seq;
      return { type: "answer", answer: wireCopy({ runId: run.id, pushId, ...fence, seq, state, commands }) };
    } finally {
      world.end(work);
    }
  }

  #checkpoints(request: ExecuteRequest): { readonly checkpoint: Checkpoint; seq(): number } | undefined {
    const { record } = this.#options;
    if (!record) return undefined;
    const { run, pushId, fence } = request;
    let { seq } = fence;
    const checkpoint = async (commands: readonly Command[]): Promise<Checkpointed> => {
      const outcome = await record(
        request,
        wireCopy({ runId: run.id, pushId, ...fence, seq, commands: [...commands] }),
      );
      if (!outcome || outcome.type === "refused") return { type: "failed" };
      if (outcome.type === "stale" || outcome.stop === "abandon") return { type: "unwanted" };
      seq = outcome.seq;
      return { type: "committed", records: wireCopy(outcome.records), answer: outcome.stop === "answer" };
    };
    return { checkpoint, seq: () => seq };
  }
}

function hostOn(world: World, random: () => number): Host {
  const stirring = (callback: () => void) => (): void => {
    world.stir();
    callback();
  };
  return {
    now: () => world.clock.now,
    random,
    afterMicrotasks: (callback) => defaultHost.afterMicrotasks(stirring(callback)),
    afterTurn: (callback) => defaultHost.afterTurn(stirring(callback)),
    setTimer: (ms, callback) =>
      ms === GRACE ? afterRealMs(GRACE_MS, stirring(callback)) : world.clock.after(ms, stirring(callback)),
  };
}
