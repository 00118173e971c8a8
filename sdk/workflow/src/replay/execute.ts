/**
 * One invocation: replays a run's history through its handler, runs the tasks that are new, and says what the handler
 * asks for next.
 *
 * A fresh task's result settles its promise at once, in completion order, but nothing that the handler then calls
 * *starts* before it is committed: sleeps, waits, children and the end of the run travel in the same answer as the result
 * that they depend on, and new tasks wait for the commit. With checkpoints that is a call from here, and the invocation
 * goes on; without, it is the answer's (`more`), and the next push goes on.
 */
import type { Command, Divergence, HistoryRecord, PushedRun, ReplayAnswer } from "@aikirun/protocol";
import { AikiError, LIMITS } from "@aikirun/protocol/canonical";
import type { AnyVersion } from "../context.js";
import { consoleLogger, filtered, type Logger } from "../logger.js";
import { copyJson, recordable } from "../record.js";
import { delayAfterMs } from "../retry.js";
import { Activity } from "./activity.js";
import { type AttemptOutcome, type Perform, type RunningAttempt, startAttempt } from "./attempt.js";
import { Calls, type StartableTask } from "./calls.js";
import { Checks } from "./checks.js";
import { divergenceOf, likenessOf } from "./divergence.js";
import { History } from "./history.js";
import type { Host } from "./host.js";
import { Journal } from "./journal.js";
import { knownInputs } from "./known-inputs.js";
import { Outbox } from "./outbox.js";
import { runObject } from "./run-object.js";
import { wireError } from "./wire-error.js";

export interface ExecuteOptions {
  readonly workflow: AnyVersion;
  readonly run: PushedRun;
  /** The whole history, in the order of `n`. It is not changed. */
  readonly records: readonly HistoryRecord[];
  /** The same records with their index, where the caller keeps one. */
  readonly history?: History;
  readonly host: Host;
  readonly logger?: Logger;
  /** What the handler finds in `run.context`. */
  readonly context?: unknown;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds after which unfinished tasks end with `OUT_OF_TIME` and the answer is given: the push's budget less
   * what the answer takes to travel.
   */
  readonly budgetMs?: number;
  /** Resolves, perhaps never, to the milliseconds from then on that stand instead of what is left of `budgetMs`. */
  readonly moreTime?: Promise<number>;
  /** Milliseconds without any activity of the handler before a divergence is believed. */
  readonly graceMs?: number;
  /** Warns, once for each version, of a handler that awaits something else than Aiki's calls. */
  readonly warnsOfPlainAwaits?: boolean;
  /** Commits what was done since the last time and tells what else came. Absent: only the answer is committed. */
  readonly checkpoint?: Checkpoint;
  /** Stands between attempts and the tasks' own handlers. Absent: the handlers are called. */
  readonly perform?: Perform;
}

export type Execution =
  | { readonly state: "waiting" | "more"; readonly commands: Command[] }
  | { readonly state: "diverged"; readonly divergence: Divergence };

/** Never rejects. The commands are not changed. */
export type Checkpoint = (commands: readonly Command[]) => Promise<Checkpointed>;

export type Checkpointed =
  | {
      readonly type: "committed";
      /** What else was recorded, in order; outcomes of this invocation's own tasks left out. */
      readonly records: readonly HistoryRecord[];
      /** Nothing new may start: what runs ends, and is answered. */
      readonly answer: boolean;
    }
  /** Whether it was committed is unknown: the answer says the same again, on top of what was known before. */
  | { readonly type: "failed" }
  /** Nobody wants to hear of this invocation any more. */
  | { readonly type: "unwanted" };

const GRACE_MS = 1_000;
const NO_ROOM =
  "Aiki: a task's outcome does not fit into this answer, so the task will run again. Return smaller values.";
const PLAIN_AWAIT = "It runs again on every replay, and may give another value then: put it into a task.";
/** Versions whose handlers were seen to go on by themselves, from something that is not recorded. */
const awaitsPlainly = new WeakSet<AnyVersion>();
const warnedOf = new WeakSet<AnyVersion>();
/** Never rejects: what user code throws ends the run or a task. */
export function execute(options: ExecuteOptions): Promise<Execution> {
  return new Invocation(options).execute();
}

/**
 * Only asks whether a history still fits its handler: no task runs, and nothing comes of it. Undefined when the handler
 * has not come to rest within `budgetMs`. Never rejects.
 */
export function compare(options: ExecuteOptions): Promise<ReplayAnswer | undefined> {
  return new Invocation(options).compare();
}

class Invocation {
  readonly #options: ExecuteOptions;
  readonly #host: Host;
  readonly #logger: Logger;
  readonly #history: History;
  readonly #journal: Journal;
  readonly #calls: Calls;
  readonly #checks = new Checks(() => this.#activity.happened());
  readonly #activity: Activity;
  readonly #running = new Map<string, RunningAttempt>();
  readonly #outcomes: AttemptOutcome[] = [];
  /** Of all results and calls that are not committed yet. */
  readonly #outbox = new Outbox();
  #checkpoint: Checkpoint | undefined;
  /** Committed while this invocation goes on, and not shown to the handler yet. */
  readonly #news: HistoryRecord[] = [];
  /** The number of the last of them that was shown. */
  #shownN = 0;
  /** The handler's end. */
  #ended: Command | undefined;
  /** The handler runs because of something that it was shown here. */
  #stepping = true;
  /** The handler has seen a result that is not committed: no task starts before it is. */
  #ahead = false;
  /** The handler has come to what no earlier invocation has seen. */
  #beyondHistory = false;
  /** The answer is waited for: no task starts any more. */
  #windingUp = false;
  /** Something was committed, so that a task which starts now has less time than a whole invocation. */
  #committed = false;
  /** Too little of the time is left for another task, which the next push gives a whole one. */
  #late = false;
  /** Keys of tasks that started after a commit. */
  readonly #startedLate = new Set<string>();
  #stopped: "out of time" | "abandoned" | undefined;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#logger = options.logger ?? consoleLogger;
    this.#activity = new Activity({
      host: options.host,
      checks: this.#checks,
      isAwaited: () => (this.#outcomes.length > 0 && !this.#outbox.full) || this.#stopped !== undefined,
      isStopped: () => this.#stopped !== undefined,
    });
    this.#history = options.history ?? new History(options.records);
    this.#journal = new Journal(this.#history);
    this.#checkpoint = options.checkpoint;
    this.#calls = new Calls(options.run, this.#journal, this.#checks, () => this.#called());
  }

  execute(): Promise<Execution> {
    return this.#replayThen(() => this.#goOn());
  }

  compare(): Promise<ReplayAnswer | undefined> {
    return this.#replayThen(() => this.#compare());
  }

  async #replayThen<Result>(goOn: () => Promise<Result>): Promise<Result> {
    const { budgetMs, moreTime, signal } = this.#options;
    this.#history.openReader();
    let isOver = false;
    let stopTimers = budgetMs === undefined ? [] : this.#timeBudget(budgetMs);
    const extend = (ms: number): void => {
      if (isOver) return;
      for (const stopTimer of stopTimers) stopTimer();
      this.#late = false;
      stopTimers = this.#timeBudget(ms);
      this.#activity.happened();
    };
    void moreTime?.then(extend);
    const abandon = (): void => this.#stop("abandoned");
    signal?.addEventListener("abort", abandon);
    if (signal?.aborted) abandon();
    try {
      void this.#handle();
      await this.#activity.drained();
      await this.#replay();
      return await goOn();
    } finally {
      isOver = true;
      this.#calls.close();
      this.#history.closeReader();
      for (const stopTimer of stopTimers) stopTimer();
      signal?.removeEventListener("abort", abandon);
    }
  }

  #timeBudget(budgetMs: number): (() => void)[] {
    const late = (): void => {
      this.#late = true;
    };
    return [this.#host.setTimer(budgetMs / 2, late), this.#host.setTimer(budgetMs, () => this.#stop("out of time"))];
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
      const surroundings = { logger: this.#replayLogger(), context: this.#options.context };
      const handled = runObject(run, events, surroundings, this.#calls);
      const input = await this.#checks.check(definition.schema?.input, copyJson(run.input), `The input of ${subject}`);
      retryable = true;
      // The version's own types say what the handler takes; they are erased in everything that serves versions.
      const result: unknown = await definition.handler(handled as never, input as never);
      retryable = false;
      const checked = await this.#checks.check(definition.schema?.output, result, `The output of ${subject}`);
      const output = recordable(checked, `${subject} returned a value`);
      this.#ended = { type: "run.completed", ...(output !== undefined && { output }) };
    } catch (thrown) {
      this.#ended = this.#failure(thrown, retryable);
    }
    this.#activity.happened();
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

  /**
   * Shows the handler what is recorded. A result that it has not asked for yet lies behind an await that is not
   * recorded: the later ones are held back until the handler gets there, so that they come in the order of the first
   * time. A handler that waits for one of those and does nothing for a while is of changed code: it gets all of them.
   */
  async #replay(): Promise<void> {
    await this.#offerRecords("asked");
    while (this.#journal.offersMore && !this.#ended && !this.#stopped) {
      const changed = this.#calls.anyAwaited && (await this.#activity.quiet(this.#options.graceMs ?? GRACE_MS));
      if (!this.#calls.anyAwaited) await this.#activity.happening();
      await this.#activity.drained();
      await this.#offerRecords(changed ? "any" : "asked");
    }
  }

  /** Offers the recorded results one at a time; the handler goes on from each before it sees the next. */
  #offerRecords(wanted: "asked" | "any"): Promise<void> {
    return new Promise((resolve) => {
      this.#stepping = true;
      const step = (): void => {
        if (this.#checks.pending && !this.#stopped) return void this.#activity.drained().then(step);
        for (let offer = this.#journal.offerNext(wanted); offer; offer = this.#journal.offerNext(wanted)) {
          if (!this.#calls.settleRecorded(offer.record, offer.entry)) continue;
          this.#activity.happened();
          return this.#host.afterMicrotasks(step);
        }
        this.#stepping = false;
        resolve();
      };
      step();
    });
  }

  /** Alternates between letting the handler come to rest and running tasks, until there is something to answer. */
  async #goOn(): Promise<Execution> {
    for (;;) {
      await this.#showNews();
      await this.#settleOutcomes();
      if (this.#stopped) return this.#answer();
      if (this.#outcomes.length > 0 && !this.#outbox.full) continue;
      const mayDiverge = this.#journal.unasked > 0;
      // Nothing can diverge once all of history was asked for, so tasks need not wait for the handler to rest.
      if (!mayDiverge && this.#startTasks()) continue;
      if ((this.#outbox.full || (!mayDiverge && this.#calls.startable.length > 0)) && this.#mayCommit()) {
        await this.#commit();
        continue;
      }
      if (this.#ended && !(mayDiverge && this.#calls.asked.length > 0)) return this.#answer();
      if (!(await this.#activity.rested())) continue;
      const diverges = this.#journal.unasked > 0 && this.#calls.asked.length > 0;
      if (diverges && this.#running.size === 0) {
        if (await this.#activity.quiet(this.#options.graceMs ?? GRACE_MS)) return this.#diverged();
        continue;
      }
      if (!diverges && this.#startTasks()) continue;
      if (!diverges && this.#commitIsAwaited() && this.#mayCommit()) {
        await this.#commit();
        continue;
      }
      if (this.#ended) return this.#answer();
      if (this.#running.size === 0 && this.#calls.anyAwaited) {
        if (!this.#mayGoOn() || (await this.#activity.quiet(this.#options.graceMs ?? GRACE_MS))) return this.#answer();
        continue;
      }
      if (this.#running.size === 0) this.#warnOfPlainAwait();
      await this.#activity.happening();
    }
  }

  /** Whether a handler at rest may be on its way to something that is not recorded. */
  #mayGoOn(): boolean {
    return awaitsPlainly.has(this.#options.workflow);
  }

  /** The handler made a call; also one that comes too late for the answer. */
  #called(): void {
    if (!this.#stepping) {
      awaitsPlainly.add(this.#options.workflow);
      this.#warnOfPlainAwait();
    }
    this.#activity.happened();
  }

  /** Whether there is something that should not wait for the tasks that still run, or that new ones wait for. */
  #commitIsAwaited(): boolean {
    return this.#running.size > 0 || this.#calls.startable.length > 0;
  }

  #mayCommit(): boolean {
    this.#outbox.take(this.#calls.commands);
    if (!this.#checkpoint || this.#windingUp || this.#ended || this.#outbox.commands.length === 0) return false;
    // What does not fit into one answer is committed even if the answer is all that is left to do.
    return this.#outbox.full || !this.#late || this.#running.size > 0;
  }

  async #commit(): Promise<void> {
    if (!this.#checkpoint) return;
    const outcome = await this.#checkpoint(this.#outbox.commands);
    if (outcome.type === "unwanted") this.#stop("abandoned");
    if (outcome.type !== "committed") {
      this.#checkpoint = undefined;
      return;
    }
    this.#outbox.clear();
    this.#committed = true;
    this.#ahead = false;
    this.#beyondHistory = true;
    this.#windingUp = outcome.answer;
    this.#news.push(...outcome.records);
  }

  /** Shows the handler what came with a commit, as a later replay will: one at a time, after the results before it. */
  async #showNews(): Promise<void> {
    for (let record = this.#news.shift(); record && !this.#stopped; record = this.#news.shift()) {
      this.#stepping = true;
      this.#shownN = record.n;
      this.#calls.settleNews(record);
      await this.#activity.drained();
      this.#stepping = false;
    }
  }

  /**
   * Waits longer than `#goOn` does: a branch that is slow to ask for what it has recorded must not look like one that
   * never does, and the other way round. What is still left over when all is quiet stops the run at its next new call,
   * if it has not made one yet.
   */
  async #compare(): Promise<ReplayAnswer | undefined> {
    const { asked } = this.#calls;
    for (;;) {
      if (this.#stopped) return undefined;
      if (this.#journal.unasked === 0) return { fits: true };
      if (this.#ended?.type === "run.completed" && asked.length === 0) return { fits: true };
      if (!(await this.#activity.rested())) continue;
      const atPlainAwait = !this.#ended && !this.#calls.anyAwaited;
      if (atPlainAwait) await this.#activity.happening();
      else if (await this.#activity.quiet(this.#options.graceMs ?? GRACE_MS)) break;
    }
    const leftovers = [...this.#journal.leftovers(), ...this.#journal.unclosed()];
    const ended = this.#ended;
    const failed = ended?.type === "run.failed" || ended?.type === "run.retry";
    const thrown = failed && asked.length === 0 ? ended.error : undefined;
    const alike = likenessOf(leftovers, asked, thrown);
    return { fits: false, divergence: this.#divergence(), alike, ...(thrown && { thrown }) };
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
    for (let outcome = this.#outcomes[0]; outcome && !this.#stopped; outcome = this.#outcomes[0]) {
      this.#outbox.take(this.#calls.commands);
      if (!this.#outbox.put(outcome.command)) return;
      this.#outcomes.shift();
      if (!outcome.record) continue;
      this.#ahead = true;
      this.#beyondHistory = true;
      this.#stepping = true;
      this.#calls.settleFresh(outcome.record);
      await this.#activity.drained();
      this.#stepping = false;
    }
  }

  /** Starts what may start. False when there was nothing. */
  #startTasks(): boolean {
    if (this.#ahead || this.#outbox.full || this.#stopped || this.#ended) return false;
    if (this.#windingUp || (this.#late && this.#committed)) return false;
    const room = LIMITS.commands - this.#outbox.commands.length - this.#calls.commands.length - this.#running.size - 1;
    const tasks = this.#calls.startable.splice(0, Math.max(0, room));
    for (const task of tasks) this.#start(task);
    return tasks.length > 0;
  }

  #start(task: StartableTask): void {
    const { run, perform } = this.#options;
    const surroundings = { run, host: this.#host, logger: this.#logger, ...(perform && { perform }) };
    const attempt = startAttempt(task, surroundings, (outcome) => {
      this.#running.delete(task.key);
      if (outcome.command.type === "task.retry") this.#calls.awaitNextAttempt(task);
      this.#outcomes.push(outcome);
      this.#activity.happened();
    });
    this.#running.set(task.key, attempt);
    if (this.#committed) this.#startedLate.add(task.key);
  }

  #answer(): Execution {
    this.#calls.close();
    if (this.#stopped === "out of time") {
      // Each ends in `#outcomes`, behind what ended by itself. One that had less than a whole invocation runs again.
      for (const [key, attempt] of [...this.#running]) if (!this.#startedLate.has(key)) attempt.outOfTime();
    }
    if (this.#running.size > 0) {
      const reason = new AikiError("ABORTED", "Nobody waits for the result of this attempt any more.");
      for (const attempt of this.#running.values()) attempt.abandon(reason);
    }
    // Recorded but not shown to the handler, which ends here: the next replay shows them.
    for (const outcome of this.#outcomes) {
      this.#outbox.take(this.#calls.commands);
      if (!this.#outbox.put(outcome.command)) this.#logger.warn({ key: outcome.command.key }, NO_ROOM);
    }
    this.#outbox.take(this.#calls.commands);
    const unshown = this.#outcomes.length > 0;
    if (!this.#stopped) this.#history.saw(Math.max(this.#journal.offeredN, this.#shownN));
    if (this.#ended && !this.#outbox.full) {
      this.#outbox.put(this.#ended);
      if (!this.#outbox.full) return { state: "waiting", commands: this.#outbox.commands };
    }
    const more = this.#stopped !== undefined || this.#outbox.full || unshown || this.#calls.startable.length > 0;
    return { state: more ? "more" : "waiting", commands: this.#outbox.commands };
  }

  /** Nothing of a diverging replay is sent, but what tasks did before it showed is recorded. */
  #diverged(): Execution {
    const done = this.#outbox.commands.filter((command) => command.type.startsWith("task."));
    if (done.length > 0) return { state: "more", commands: done };
    return { state: "diverged", divergence: this.#divergence() };
  }

  #divergence(): Divergence {
    const inputText = knownInputs(this.#options.run.input, this.#history.records);
    return divergenceOf(this.#journal.leftovers(), this.#journal.unclosed(), this.#calls.asked, inputText);
  }

  #stop(why: "out of time" | "abandoned"): void {
    this.#stopped ??= why;
    this.#checks.release();
    this.#activity.happened();
  }

  /** Drops the lines that an earlier invocation has written. */
  #replayLogger(): Logger {
    return filtered(this.#logger, () => this.#beyondHistory || !this.#journal.seenBefore);
  }
}
