/**
 * One invocation: replays a run's history through its handler, runs the tasks that are new, and says what the handler
 * asks for next.
 *
 * A fresh task's result settles its promise at once, in completion order, but nothing that the handler then calls
 * *starts* here: sleeps, waits, children and the end of the run travel in the same answer as the result that they
 * depend on, and new tasks wait until it is committed (`more`).
 */
import type { Command, Divergence, HistoryRecord, PushedRun } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import { consoleLogger, type Logger, loggerFrom, logTo } from "../logger.js";
import { copyJson, recordable } from "../record.js";
import { delayAfterMs } from "../retry.js";
import { check } from "../schema.js";
import type { ServableVersion } from "../workflow.js";
import { type AttemptOutcome, type RunningAttempt, startAttempt } from "./attempt.js";
import { Calls, type StartableTask } from "./calls.js";
import { divergenceOf } from "./divergence.js";
import { History } from "./history.js";
import type { Host } from "./host.js";
import { Journal } from "./journal.js";
import { runObject } from "./run-object.js";
import { wireError } from "./wire-error.js";

export interface ExecuteOptions {
  readonly workflow: ServableVersion;
  readonly run: PushedRun;
  /** The whole history, in the order of `n`. It is not changed. */
  readonly records: readonly HistoryRecord[];
  /** The same records with their index, where the caller keeps one. */
  readonly history?: History;
  readonly host: Host;
  readonly logger?: Logger;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds after which unfinished tasks end with `OUT_OF_TIME` and the answer is given: the push's budget less
   * what the answer takes to travel.
   */
  readonly budgetMs?: number;
  /** Milliseconds without any activity of the handler before a divergence is believed. */
  readonly graceMs?: number;
  /** Warns, once for each version, of a handler that awaits something else than Aiki's calls. */
  readonly warnsOfPlainAwaits?: boolean;
  /** Replay only: tasks do not run, and the commands are those of calls that history does not know. */
  readonly replayOnly?: boolean;
}

export type Execution =
  | { readonly state: "waiting" | "more"; readonly commands: Command[] }
  | { readonly state: "diverged"; readonly divergence: Divergence };

const GRACE_MS = 1_000;
/** Turns of the event loop without activity after which a handler is at rest. */
const QUIET_TURNS = 2;
const NO_ROOM =
  "Aiki: a task's outcome does not fit into this answer, so the task will run again. Return smaller values.";
const PLAIN_AWAIT = "It runs again on every replay, and may give another value then: put it into a task.";
const warnedOf = new WeakSet<ServableVersion>();
/** Bytes of the answer that are not commands. */
const ENVELOPE_BYTES = 4_096;

/** Never rejects: what user code throws ends the run or a task. */
export function execute(options: ExecuteOptions): Promise<Execution> {
  return new Invocation(options).execute();
}

class Invocation {
  readonly #options: ExecuteOptions;
  readonly #host: Host;
  readonly #logger: Logger;
  readonly #history: History;
  readonly #journal: Journal;
  readonly #calls: Calls;
  readonly #running = new Map<string, RunningAttempt>();
  readonly #outcomes: AttemptOutcome[] = [];
  readonly #commands: Command[] = [];
  #answerBytes = ENVELOPE_BYTES;
  /** Grows with every call, result and end: tells whether anything happened meanwhile. */
  #activity = 0;
  #wake: (() => void) | undefined;
  /** The handler's end. */
  #ended: Command | undefined;
  /** The handler has seen a result that is not committed: no task starts any more. */
  #ahead = false;
  /** What the handler asked for does not all fit into the answer. */
  #full = false;
  #stopped: "out of time" | "abandoned" | undefined;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#logger = options.logger ?? consoleLogger;
    this.#history = options.history ?? new History(options.records);
    this.#journal = new Journal(this.#history);
    this.#calls = new Calls(options.run, this.#journal, () => this.#happened());
  }

  async execute(): Promise<Execution> {
    const { budgetMs, signal } = this.#options;
    this.#history.openReader();
    const stopTimer =
      budgetMs === undefined ? undefined : this.#host.setTimer(budgetMs, () => this.#stop("out of time"));
    const abandon = (): void => this.#stop("abandoned");
    signal?.addEventListener("abort", abandon);
    if (signal?.aborted) abandon();
    try {
      void this.#handle();
      await this.#drained();
      await this.#offerRecords();
      return await this.#goOn();
    } finally {
      this.#calls.close();
      this.#history.closeReader();
      stopTimer?.();
      signal?.removeEventListener("abort", abandon);
    }
  }

  /** Runs the handler and turns its end into a command. */
  async #handle(): Promise<void> {
    const { workflow, run } = this.#options;
    const { definition } = workflow;
    const subject = `${workflow.name}@${workflow.versionId}`;
    // Whether another attempt could end otherwise: not when the value and not the work is at fault.
    let retryable = false;
    try {
      const events = definition.events ?? {};
      const context = runObject(run, events, this.#replayLogger(), this.#calls);
      const input = await check(definition.schema?.input, copyJson(run.input), `The input of ${subject}`);
      retryable = true;
      // The version's own types say what the handler takes; they are erased in everything that serves versions.
      const result: unknown = await definition.handler(context as never, input as never);
      retryable = false;
      const checked = await check(definition.schema?.output, result, `The output of ${subject}`);
      const output = recordable(checked, `${subject} returned a value`);
      this.#ended = { type: "run.completed", ...(output !== undefined && { output }) };
    } catch (thrown) {
      this.#ended = this.#failure(thrown, retryable);
    }
    this.#happened();
  }

  /** The run's policy is the one that it was started with, else its version's. */
  #failure(thrown: unknown, retryable: boolean): Command {
    const { workflow, run } = this.#options;
    const policy = run.options.retry ?? workflow.definition.retry ?? { type: "never" };
    const key = this.#calls.failedTask(thrown);
    const error = { error: wireError(thrown), ...(key !== undefined && { task: key }) };
    const attempt = this.#history.attempts;
    const delayMs = retryable ? delayAfterMs(policy, attempt, thrown, this.#host.random) : undefined;
    return delayMs === undefined ? { type: "run.failed", ...error } : { type: "run.retry", delayMs, ...error };
  }

  /** Offers the recorded results one at a time; the handler goes on from each before it sees the next. */
  #offerRecords(): Promise<void> {
    return new Promise((resolve) => {
      const step = (): void => {
        for (let offer = this.#journal.offerNext(); offer; offer = this.#journal.offerNext()) {
          if (this.#calls.settleRecorded(offer.record, offer.entry)) return this.#host.afterMicrotasks(step);
        }
        resolve();
      };
      step();
    });
  }

  /** Alternates between letting the handler come to rest and running tasks, until there is something to answer. */
  async #goOn(): Promise<Execution> {
    for (;;) {
      await this.#settleOutcomes();
      if (this.#stopped) return this.#answer();
      if (this.#outcomes.length > 0) continue;
      const mayDiverge = this.#journal.unasked > 0;
      // Nothing can diverge once all of history was asked for, so tasks need not wait for the handler to rest.
      if (!mayDiverge && this.#startTasks()) continue;
      if (this.#ended && !(mayDiverge && this.#calls.asked.length > 0)) return this.#answer();
      if (!(await this.#rested())) continue;
      const diverges = this.#journal.unasked > 0 && this.#calls.asked.length > 0;
      if (diverges && this.#running.size === 0) {
        if (await this.#quiet(this.#options.graceMs ?? GRACE_MS)) return this.#diverged();
        continue;
      }
      if (!diverges && this.#startTasks()) continue;
      if (this.#ended) return this.#answer();
      if (this.#running.size === 0 && (this.#calls.anyOpen || this.#options.replayOnly)) return this.#answer();
      if (this.#running.size === 0) this.#warnOfPlainAwait();
      await this.#happening();
    }
  }

  #warnOfPlainAwait(): void {
    const { workflow, warnsOfPlainAwaits } = this.#options;
    if (!warnsOfPlainAwaits || warnedOf.has(workflow)) return;
    warnedOf.add(workflow);
    const subject = `${workflow.name}@${workflow.versionId}`;
    this.#logger.warn(`Aiki: the handler of ${subject} awaits something that is not recorded. ${PLAIN_AWAIT}`);
  }

  /** Shows the handler the results of this invocation's tasks, one at a time, in the order in which they came. */
  async #settleOutcomes(): Promise<void> {
    for (let outcome = this.#outcomes.shift(); outcome && !this.#stopped; outcome = this.#outcomes.shift()) {
      this.#collectCommands();
      if (!this.#push(outcome.command)) this.#logger.warn({ key: outcome.command.key }, NO_ROOM);
      if (this.#full || !outcome.record) continue;
      this.#ahead = true;
      this.#calls.settleFresh(outcome.record);
      await this.#drained();
    }
  }

  /** Starts what may start. False when there was nothing. */
  #startTasks(): boolean {
    if (this.#ahead || this.#full || this.#stopped || this.#ended || this.#options.replayOnly) return false;
    const room = LIMITS.commands - this.#commands.length - this.#calls.commands.length - this.#running.size - 1;
    const tasks = this.#calls.startable.splice(0, Math.max(0, room));
    for (const task of tasks) this.#start(task);
    return tasks.length > 0;
  }

  #start(task: StartableTask): void {
    const { run } = this.#options;
    const surroundings = { run, host: this.#host, logger: this.#logger };
    const attempt = startAttempt(task, surroundings, (outcome) => {
      this.#running.delete(task.key);
      this.#outcomes.push(outcome);
      this.#happened();
    });
    this.#running.set(task.key, attempt);
  }

  #answer(): Execution {
    this.#calls.close();
    if (this.#stopped === "out of time") {
      // Each ends in `#outcomes`, behind what ended by itself.
      for (const attempt of [...this.#running.values()]) attempt.outOfTime();
    }
    if (this.#running.size > 0) {
      const reason = new AikiError("ABORTED", "Nobody waits for the result of this task any more.");
      for (const attempt of this.#running.values()) attempt.abandon(reason);
    }
    // Recorded but not shown to the handler, which ends here: the next replay shows them.
    for (const outcome of this.#outcomes) {
      this.#collectCommands();
      this.#push(outcome.command);
    }
    this.#collectCommands();
    const unshown = this.#outcomes.length > 0;
    if (this.#ended && !this.#full) {
      this.#push(this.#ended);
      if (!this.#full) return { state: "waiting", commands: this.#commands };
    }
    const more =
      this.#stopped !== undefined ||
      this.#full ||
      unshown ||
      this.#calls.awaitsCommit ||
      this.#calls.startable.length > 0;
    return { state: more ? "more" : "waiting", commands: this.#commands };
  }

  /** Nothing of a diverging replay is sent, but what tasks did before it showed is recorded. */
  #diverged(): Execution {
    const done = this.#commands.filter((command) => command.type.startsWith("task."));
    if (done.length > 0) return { state: "more", commands: done };
    return { state: "diverged", divergence: divergenceOf(this.#journal.leftovers(), this.#calls.asked) };
  }

  #collectCommands(): void {
    for (const command of this.#calls.commands.splice(0)) this.#push(command);
  }

  /** Puts a command into the answer. After the first that does not fit, none is taken: the next push asks again. */
  #push(command: Command): boolean {
    const bytes = commandBytes(command);
    if (this.#commands.length >= LIMITS.commands || this.#answerBytes + bytes > LIMITS.bodyBytes) this.#full = true;
    if (this.#full) return false;
    this.#answerBytes += bytes;
    this.#commands.push(command);
    return true;
  }

  #stop(why: "out of time" | "abandoned"): void {
    this.#stopped ??= why;
    this.#happened();
  }

  #happened(): void {
    this.#activity++;
    this.#wake?.();
  }

  /** Resolves when anything happens. */
  #happening(): Promise<void> {
    if (this.#outcomes.length > 0 || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => this.#host.afterMicrotasks(resolve));
  }

  /** True once the event loop has turned twice with nothing happening; false as soon as something did. */
  async #rested(): Promise<boolean> {
    const before = this.#activity;
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      await new Promise<void>((resolve) => this.#host.afterTurn(resolve));
      if (this.#activity !== before) return false;
    }
    return true;
  }

  /** True when nothing has happened for so long; false as soon as something did. */
  async #quiet(ms: number): Promise<boolean> {
    const before = this.#activity;
    let stopTimer = (): void => {};
    const passed = new Promise<void>((resolve) => {
      stopTimer = this.#host.setTimer(ms, resolve);
    });
    await Promise.race([passed, this.#happening()]);
    stopTimer();
    return this.#activity === before;
  }

  /** Drops the lines that an earlier invocation has written. */
  #replayLogger(): Logger {
    return loggerFrom((level, args) => {
      if (this.#ahead || !this.#journal.seenBefore) logTo(this.#logger, level, args);
    });
  }
}

/** An upper bound that is cheap for the many small commands. */
function commandBytes(command: Command): number {
  const text = JSON.stringify(command);
  return text.length * 3 < SMALL_BYTES ? text.length * 3 : new TextEncoder().encode(text).length;
}
const SMALL_BYTES = 8_192;
