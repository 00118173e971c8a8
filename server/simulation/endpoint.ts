/**
 * One URL with several instances behind it, each with its own cache of histories and its own wrong clock. An instance
 * runs the product's replay, and may die in the middle.
 */
import type {
  CallbackPromise,
  CheckpointBody,
  Command,
  ExecuteAnswer,
  ExecuteRequest,
  HistoryRecord,
} from "@aikirun/protocol";
import type { ServableVersion } from "@aikirun/workflow";
import type { Checkpointed, ExecuteOptions, Execution, Host } from "@aikirun/workflow/replay";
import type { CheckpointOutcome } from "../src/dispatch/checkpoint.js";
import type { BackgroundWork } from "./background.js";
import type { Faults } from "./faults.js";
import type { Invocation, Ledger } from "./ledger.js";
import type { Random } from "./random.js";
import { newProcess, type Process, type Scheduler } from "./scheduler.js";

export interface EndpointOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly ledger: Ledger;
  /** Carries a checkpoint to some orchestrator and its answer back; undefined when either was lost. */
  readonly record: (process: Process, body: CheckpointBody) => Promise<CheckpointOutcome | undefined>;
  readonly background: BackgroundWork;
  /** The code for one push: its tasks report to the invocation and die with the process. */
  readonly code: (workflow: string, invocation: Invocation, process: Process) => ServableVersion;
  /** The database's clock, from which each instance's own differs. */
  readonly now: () => number;
  /** The product's replay, or a broken one. */
  readonly execute: (options: ExecuteOptions) => Promise<Execution>;
}

export type Reply =
  | { readonly type: "answer"; readonly answer: ExecuteAnswer }
  | { readonly type: "callback"; readonly promise: CallbackPromise }
  | { readonly type: "history_needed" }
  | { readonly type: "diverged"; readonly divergence: Extract<Execution, { state: "diverged" }>["divergence"] };

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

export class Instance {
  readonly #options: EndpointOptions;
  readonly #histories = new Map<string, { readonly hash: string; readonly records: readonly HistoryRecord[] }>();
  readonly #skewMs: number;
  readonly #keeps: boolean;
  process: Process;

  constructor(options: EndpointOptions, name: string) {
    this.#options = options;
    this.process = newProcess(name);
    this.#skewMs = options.random.int(-200, 200);
    this.#keeps = options.random.chance(0.8);
  }

  async handle(request: ExecuteRequest, invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    const { background } = this.#options;
    const { process } = this;
    const records = this.#history(request);
    if (!records) return { type: "history_needed" };
    const gone = new AbortController();
    let isAwaited = true;
    signal.addEventListener("abort", () => isAwaited && gone.abort(), { once: true });
    let extend = (_ms: number): void => {};
    const moreTime = new Promise<number>((resolve) => {
      extend = resolve;
    });
    const work = this.#work(request, records, invocation, { signal: gone.signal, moreTime });
    return background.replyTo(request, process, invocation.push, work, (ms) => {
      isAwaited = false;
      extend(ms * 0.9);
      return gone;
    });
  }

  async #work(
    request: ExecuteRequest,
    records: readonly HistoryRecord[],
    invocation: Invocation,
    waiting: Pick<ExecuteOptions, "signal" | "moreTime">,
  ): Promise<Reply> {
    const { code, random, faults, scheduler } = this.#options;
    const { process } = this;
    const workflow = code(request.run.workflow, invocation, process);
    if (faults.strikes(0.2))
      scheduler.after(random.int(0, 30), undefined, `${process.name} dies`, () => this.#die(process));
    const { fence, pushId, run } = request;
    let { seq } = fence;
    const checkpoint = async (commands: readonly Command[]): Promise<Checkpointed> => {
      const body = { runId: run.id, pushId, ...fence, seq, commands: [...commands] };
      const outcome = await this.#options.record(process, body);
      if (!outcome || outcome.type === "refused") return { type: "failed" };
      if (outcome.type === "stale" || outcome.stop === "abandon") return { type: "unwanted" };
      seq = outcome.seq;
      this.#options.ledger.wentOn(run.id, { gen: fence.gen, seq });
      return { type: "committed", records: outcome.records, answer: outcome.stop === "answer" };
    };
    const execution = await this.#options.execute({
      workflow,
      run: request.run,
      records,
      host: this.#host(process),
      logger: SILENT,
      ...waiting,
      budgetMs: request.budgetMs,
      graceMs: 20,
      ...(request.checkpoint && { checkpoint }),
    });
    if (execution.state === "diverged") return { type: "diverged", divergence: execution.divergence };
    const { state, commands } = execution;
    const answer: ExecuteAnswer = { runId: run.id, pushId, ...fence, seq, state, commands, keeps: this.#keeps };
    return { type: "answer", answer };
  }

  /** The whole history, when the instance has the part that the push left out. */
  #history({ run, history }: ExecuteRequest): readonly HistoryRecord[] | undefined {
    const { after, records, head } = history;
    const kept = this.#histories.get(run.id);
    if (after && (kept?.hash !== after.hash || kept.records.length !== after.n)) return undefined;
    const whole = after && kept ? [...kept.records, ...records] : records;
    if (this.#keeps) this.#histories.set(run.id, { hash: head.hash, records: whole });
    return whole;
  }

  #die(process: Process): void {
    if (!process.alive) return;
    process.alive = false;
    this.#histories.clear();
    this.process = newProcess(process.name);
  }

  #host(process: Process): Host {
    const { scheduler, random, now } = this.#options;
    return {
      now: () => now() + this.#skewMs,
      random: () => random.next(),
      afterMicrotasks: (callback) => scheduler.soon(() => process.alive && callback()),
      afterTurn: (callback) => void scheduler.after(0, process, "turn", callback),
      setTimer: (ms, callback) => scheduler.after(ms, process, "timer", callback),
    };
  }
}
