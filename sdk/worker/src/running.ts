/** A worker at work: asks for runs while it has room, keeps what it has in hand, and ends without losing any. */
import type { Executor } from "@aikirun/endpoint/executor";
import {
  LIMITS,
  newId,
  type WorkExtendBody,
  type WorkerClient,
  type WorkPush,
  workPollAnswerSchema,
} from "@aikirun/protocol";
import { type Duration, durationMs, type Logger } from "@aikirun/workflow";
import { pause, Trouble } from "./trouble.js";
import { Work } from "./work.js";

export interface StopOptions {
  /** How long runs under way may go on to the end of what they are doing. Default ten seconds. */
  readonly grace?: Duration;
}

export interface RunningWorker {
  /** As the orchestrator knows it. */
  readonly id: string;
  /**
   * Takes nothing more, lets the tasks that run end and records them. What is not done within the grace is given back and
   * goes on elsewhere.
   */
  stop(options?: StopOptions): Promise<void>;
}

export interface RunningOptions {
  readonly executor: Executor;
  readonly pools: readonly string[];
  readonly concurrency: number;
  readonly logger: Logger;
  readonly client: WorkerClient;
  readonly orchestratorUrl: string;
}

const GRACE_MS = 10_000;
/** How long a poll that was asked to end may take to, before its connection is closed. */
const POLL_ENDS_MS = 1_000;

export class Running implements RunningWorker {
  readonly id = newId("worker");
  readonly #options: RunningOptions;
  readonly #trouble: Trouble;
  /** By push id. */
  readonly #works = new Map<string, Work>();
  readonly #runs = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #pollAbort = new AbortController();
  readonly #polling: Promise<void>;
  #stopped: Promise<void> | undefined;
  #roomFreed: (() => void) | undefined;
  #extension: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RunningOptions) {
    this.#options = options;
    this.#trouble = new Trouble(options.logger, options.orchestratorUrl);
    this.#polling = this.#poll();
  }

  stop({ grace }: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(grace === undefined ? GRACE_MS : durationMs(grace, "The grace of stop()"));
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#roomFreed?.();
    await this.#endPoll();
    const idle = () => Promise.all(this.#runs);
    await Promise.race([idle(), pause(graceMs)]);
    for (const work of this.#works.values()) work.giveUp("stopped");
    await idle();
    clearTimeout(this.#extension);
  }

  /** What was given to the poll just now still comes, and is given back. */
  async #endPoll(): Promise<void> {
    const { client, executor } = this.#options;
    client.pollWork({ worker: this.id, versions: [...executor.versions], room: 0 }, {}).catch(() => {});
    await Promise.race([this.#polling, pause(POLL_ENDS_MS)]);
    this.#pollAbort.abort();
    await this.#polling;
  }

  async #poll(): Promise<void> {
    const { concurrency, client, executor, pools } = this.#options;
    const asked = { worker: this.id, versions: [...executor.versions], ...(pools.length > 0 && { pools: [...pools] }) };
    while (!this.#stopping.signal.aborted) {
      const room = Math.min(concurrency - this.#runs.size, LIMITS.workerRuns);
      if (room <= 0) {
        await this.#room();
        continue;
      }
      try {
        const answer = await client.pollWork({ ...asked, room }, { signal: this.#pollAbort.signal });
        const { pushes, gone = [] } = workPollAnswerSchema.parse(answer);
        this.#trouble.over();
        for (const { pushId, why } of gone) this.#works.get(pushId)?.giveUp(why);
        for (const push of pushes) this.#take(push);
      } catch (error) {
        if (!this.#stopping.signal.aborted) await this.#trouble.met(error, this.#stopping.signal);
      }
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomFreed = resolve;
    });
  }

  #take(push: WorkPush): void {
    const run = this.#carryOut(push).finally(() => {
      this.#runs.delete(run);
      this.#roomFreed?.();
    });
    this.#runs.add(run);
  }

  /** One push after the other, as long as the run goes on at once. Never rejects. */
  async #carryOut(first: WorkPush): Promise<void> {
    const { executor, client, orchestratorUrl, logger } = this.#options;
    for (let next: WorkPush | undefined = first; next; ) {
      const work: Work = new Work(next, { worker: this.id, client, logger, versions: executor.versions });
      if (this.#stopping.signal.aborted) return work.giveBack();
      this.#works.set(work.pushId, work);
      this.#keep(next.leaseMs);
      const executed = await executor.execute(next.push, {
        orchestratorUrl,
        gone: work.gone,
        windsUp: () => this.#stopping.signal.aborted,
      });
      next = await work.bring(executed, () => this.#stopping.signal.aborted);
      this.#works.delete(work.pushId);
    }
  }

  /** Extends everything in hand, with one request each third of a lease. */
  #keep(leaseMs: number): void {
    this.#extension ??= setTimeout(() => {
      void this.#extend().finally(() => {
        this.#extension = undefined;
        if (this.#works.size > 0) this.#keep(leaseMs);
      });
    }, leaseMs / 3);
  }

  async #extend(): Promise<void> {
    const runs: WorkExtendBody["runs"] = [...this.#works.values()].map((work) => work.held);
    if (runs.length === 0) return;
    try {
      const { gone } = await this.#options.client.extendWork({ runs });
      for (const { pushId, why } of gone) this.#works.get(pushId)?.giveUp(why);
    } catch (error) {
      // The run is lost only when somebody else has taken it: the fence knows, not the clock here.
      this.#trouble.tell(error);
    }
  }
}
