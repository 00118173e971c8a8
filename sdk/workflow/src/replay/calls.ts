/**
 * What a handler's calls do during a replay. A call whose result is recorded settles when replay comes to that record,
 * or at once when it already has; every other call stays open: its promise never settles by itself, so suspension is
 * never an exception. Pure: commands and startable tasks come out, results go in.
 */
import type { Command, HistoryRecord, PushedRun, TerminalStatus } from "@aikirun/protocol";
import { childRunId, entryKey } from "@aikirun/protocol/canonical";
import { type Duration, durationMs } from "../duration.js";
import type { ChildCall, ChildEnd, EventOutcome, RunEngine, StartedChild } from "../engine.js";
import { TaskFailedError } from "../errors.js";
import type { AnyEvent } from "../event.js";
import { checkName } from "../names.js";
import { copyJson } from "../record.js";
import { check } from "../schema.js";
import type { TaskCall } from "../task.js";
import { describeCall } from "./divergence.js";
import { settles } from "./history.js";
import { type AddressedInput, addressInput, decodeInput } from "./input-address.js";
import type { Journal, Settle } from "./journal.js";

/** A task that may run now: called for the first time, or to be tried again. */
export interface StartableTask {
  readonly key: string;
  readonly call: TaskCall;
  readonly input: AddressedInput;
  readonly taskAttempt: number;
}

export class Calls implements RunEngine {
  readonly #run: PushedRun;
  readonly #journal: Journal;
  /** Open calls that history does not know. */
  readonly #fresh = new Map<string, Settle>();
  /** Waits without an entry of their own, by the child whose end is recorded but not offered yet. */
  readonly #lateWaits = new Map<string, Settle[]>();
  /** Tasks that wait for their next attempt, by their key. */
  readonly #retrying = new Map<string, Omit<StartableTask, "taskAttempt">>();
  /** Ends of children that were recorded while this invocation went on, by the child's key. */
  readonly #newEnds = new Map<string, HistoryRecord>();
  /** Children with a reference id, by their key. */
  readonly #referenced = new Map<string, Promise<StartedChild>>();
  readonly #failedTasks = new WeakMap<Error, string>();
  readonly #onCall: () => void;
  #open = 0;
  #closed = false;

  /** Commands of sleeps, waits and children, in the order of the calls. Whoever answers takes them out. */
  readonly commands: Command[] = [];
  /** Tasks that were called and neither started nor recorded. */
  readonly startable: StartableTask[] = [];
  /** Calls that history does not know, as a person reads them. */
  readonly asked: string[] = [];
  /** Children with a reference id that are asked for: their run ids are known only after the commit. */
  readonly #unknownChildren = new Set<string>();

  constructor(run: PushedRun, journal: Journal, onCall: () => void) {
    this.#run = run;
    this.#journal = journal;
    this.#onCall = onCall;
  }

  /** Whether any call's promise has not settled. */
  get anyOpen(): boolean {
    return this.#open > 0;
  }

  /** Whether a call waits for the commit of its own command. */
  get awaitsCommit(): boolean {
    return this.#unknownChildren.size > 0;
  }

  /** After this no call does anything: its promise stays open for ever. */
  close(): void {
    this.#closed = true;
  }

  /** Settles what waits for a recorded result. False when nothing does, so that no microtask needs to be awaited. */
  settleRecorded(record: HistoryRecord, entry: number): boolean {
    const settle = this.#journal.takeAwaiting(entry);
    settle?.(record);
    return this.#settleLateWaits(record) || settle !== undefined;
  }

  #settleLateWaits(record: HistoryRecord): boolean {
    if (record.kind !== "child" || record.value.state !== "ended") return false;
    const waits = this.#lateWaits.get(record.key);
    this.#lateWaits.delete(record.key);
    for (const wait of waits ?? []) wait(record);
    return waits !== undefined;
  }

  /** Settles the task of a result that is not recorded yet. */
  settleFresh(record: HistoryRecord): void {
    const settle = this.#fresh.get(record.key) ?? this.#journal.takeAwaiting(this.#journal.look(record.key));
    this.#fresh.delete(record.key);
    settle?.(record);
  }

  /** What was recorded while this invocation went on, and is not the outcome of one of its tasks. */
  settleNews(record: HistoryRecord): void {
    const { kind, key, value } = record;
    if (kind === "task") {
      const task = this.#retrying.get(key);
      if (task && value.state === "retrying" && value.due)
        this.startable.push({ ...task, taskAttempt: value.attempts + 1 });
      return;
    }
    if (!settles(record)) return;
    if (kind === "child" && value.state === "ended") this.#newEnds.set(key, record);
    if (kind === "child") this.#unknownChildren.delete(key);
    this.settleFresh(record);
    this.#settleLateWaits(record);
  }

  /** The attempt has failed, and its task is to be tried again: perhaps still in this invocation. */
  awaitNextAttempt({ key, call, input }: StartableTask): void {
    this.#retrying.set(key, { key, call, input });
  }

  /** The key of the task whose failure an error is, or stems from. */
  failedTask(thrown: unknown): string | undefined {
    for (let error = thrown, depth = 0; error instanceof Error && depth < 32; error = error.cause, depth++) {
      const key = this.#failedTasks.get(error);
      if (key !== undefined) return key;
    }
    return undefined;
  }

  task(call: TaskCall, input: unknown): Promise<unknown> {
    return this.#call(() => {
      const addressed = addressInput("task", call.name, input, `Task ${call.name} was given an input`);
      const { key, entry } = this.#journal.call(addressed.firstKey);
      if (entry === undefined) this.#ask("task", call.name, addressed.text);
      const last = this.#journal.last(entry);
      const retrying = last?.kind === "task" && last.value.state === "retrying" ? last.value : undefined;
      if (entry === undefined || retrying?.due) {
        this.startable.push({ key, call, input: addressed, taskAttempt: (retrying?.attempts ?? 0) + 1 });
      } else if (retrying) this.#retrying.set(key, { key, call, input: addressed });
      return this.#settled(key, entry, (record) => this.#taskResult(call.name, record));
    });
  }

  sleep(name: string, duration: Duration): Promise<{ cancelled: boolean }> {
    return this.#call(() => {
      checkName(name, "A sleep's name");
      const sleepMs = durationMs(duration, `Sleep ${name}`);
      const { key, entry } = this.#journal.call(entryKey("sleep", name, 0));
      if (entry === undefined) {
        this.#ask("sleep", name);
        this.commands.push({ type: "sleep", key, durationMs: sleepMs });
      }
      return this.#settled(key, entry, ({ value }) => ({ cancelled: value.state === "cancelled" }));
    });
  }

  waitForEvent(name: string, event: AnyEvent, timeout: Duration | undefined): Promise<EventOutcome> {
    return this.#call(() => {
      const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, `The timeout of event ${name}`);
      const { key, entry } = this.#journal.call(entryKey("event", name, 0));
      if (entry === undefined) {
        this.#ask("event", name);
        this.commands.push({ type: "event.wait", key, ...(timeoutMs !== undefined && { timeoutMs }) });
      }
      const outcome = this.#settled(key, entry, eventOutcome);
      return event.schema ? handled(outcome.then((received) => checkedData(name, event, received))) : outcome;
    });
  }

  /**
   * Settles at once: without a reference the child's run id follows from the parent's and the key. With one, the run
   * may exist already, so the promise settles with the recorded start; a second call with it gives the same child.
   */
  startChild(call: ChildCall, input: unknown): Promise<StartedChild> {
    return this.#call(() => {
      const address = `${call.workflow}:${call.version}`;
      const subject = `${call.workflow}@${call.version}`;
      const addressed = addressInput("child", address, input, `Child ${subject} was given an input`);
      if (call.reference === undefined) return this.#startChild(addressed.firstKey, call, addressed, input);
      const firstKey = entryKey("child", `${address}:${call.reference}`, 0);
      const known = this.#referenced.get(firstKey);
      if (known) return known;
      const child = this.#startChild(firstKey, call, addressed, input);
      this.#referenced.set(firstKey, child);
      return child;
    });
  }

  #startChild(firstKey: string, call: ChildCall, addressed: AddressedInput, input: unknown): Promise<StartedChild> {
    const subject = `${call.workflow}@${call.version}`;
    const { key, entry } = this.#journal.call(firstKey);
    const started = (runId: string): StartedChild => ({
      runId,
      waitForEnd: (awaited, timeout) => this.#waitForChild(key, subject, awaited, timeout),
    });
    const ask = (): Promise<StartedChild> => {
      if (entry === undefined) {
        this.#ask("child", subject, addressed.text);
        this.commands.push(startCommand(key, call, addressed));
      }
      if (call.reference === undefined) return Promise.resolve(started(childRunId(this.#run.id, key)));
      if (entry === undefined) this.#unknownChildren.add(key);
      return this.#settled(key, entry, (record) => started(record.kind === "child" ? record.value.runId : ""));
    };
    if (entry !== undefined) return ask();
    const checked = check(call.inputSchema, input, `The input of child ${subject}`);
    return checked instanceof Promise ? handled(checked.then(() => this.#call(ask))) : ask();
  }

  #waitForChild(
    child: string,
    subject: string,
    awaited: TerminalStatus,
    timeout: Duration | undefined,
  ): Promise<ChildEnd | undefined> {
    return this.#call(() => {
      const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, `The timeout of child ${subject}`);
      const { key, entry } = this.#journal.call(entryKey("wait", `${child}/${awaited}`, 0));
      const end = this.#journal.look(child);
      const result = (record: HistoryRecord): ChildEnd | undefined =>
        record.value.state === "timedOut" ? undefined : childEnd(this.#newEnds.get(child) ?? this.#journal.last(end));
      if (entry !== undefined) return this.#settled(key, entry, result);
      // The child's end was recorded before this wait was: it needs no entry of its own.
      const seen = childEnd(this.#newEnds.get(child) ?? this.#journal.offered(end));
      if (seen) return Promise.resolve(seen);
      if (childEnd(this.#journal.last(end))) return this.#settledLate(child, result);
      this.#ask("wait for child", `${subject} to be ${awaited}`);
      this.commands.push({
        type: "child.wait",
        key,
        child,
        status: awaited,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      return this.#settled(key, undefined, result);
    });
  }

  /** Runs a call; what it throws rejects its promise. */
  #call<Result>(make: () => Promise<Result>): Promise<Result> {
    if (this.#closed) return new Promise(() => {});
    this.#onCall();
    try {
      return make();
    } catch (error) {
      return handled(Promise.reject(error));
    }
  }

  /** For the message about a divergence: there is none once all that is recorded was asked for. */
  #ask(kind: string, name: string, input?: string): void {
    if (this.#journal.unasked > 0) this.asked.push(describeCall(kind, name, input));
  }

  /** A promise of what `read` makes of the settling record; what `read` throws rejects it. */
  #settled<Result>(key: string, entry: number | undefined, read: (record: HistoryRecord) => Result): Promise<Result> {
    return this.#promise(read, (settle) => {
      const offered = this.#journal.offered(entry);
      if (offered) settle(offered);
      else if (entry !== undefined) this.#journal.await(entry, settle);
      else this.#fresh.set(key, settle);
    });
  }

  #settledLate<Result>(child: string, read: (record: HistoryRecord) => Result): Promise<Result> {
    return this.#promise(read, (settle) => {
      const waits = this.#lateWaits.get(child);
      if (waits) waits.push(settle);
      else this.#lateWaits.set(child, [settle]);
    });
  }

  #promise<Result>(read: (record: HistoryRecord) => Result, register: (settle: Settle) => void): Promise<Result> {
    this.#open++;
    const promise = new Promise<Result>((resolve, reject) => {
      register((record) => {
        this.#open--;
        try {
          resolve(read(record));
        } catch (error) {
          // Not now: a record that is offered already settles before there is a promise.
          queueMicrotask(() => handled(promise));
          reject(error);
        }
      });
    });
    return promise;
  }

  #taskResult(name: string, record: HistoryRecord): unknown {
    if (record.kind !== "task" || record.value.state === "retrying") return undefined;
    if (record.value.state === "completed") return copyJson(record.value.output);
    const error = new TaskFailedError(name, record.value.attempts, record.value.error);
    this.#failedTasks.set(error, record.key);
    throw error;
  }
}

/** A handler may await a promise long after it was rejected, or never: that must not bring down the process. */
function handled<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}

function eventOutcome(record: HistoryRecord): EventOutcome {
  if (record.kind !== "event" || record.value.state !== "received") return { timeout: true };
  return { timeout: false, data: copyJson(record.value.data) };
}

async function checkedData(name: string, event: AnyEvent, received: EventOutcome): Promise<EventOutcome> {
  if (received.timeout) return received;
  return { timeout: false, data: await check(event.schema, received.data, `The data of event ${name}`) };
}

function childEnd(record: HistoryRecord | undefined): ChildEnd | undefined {
  if (record?.kind !== "child" || record.value.state !== "ended") return undefined;
  const { status, output, error } = record.value;
  return { status, output: copyJson(output), error };
}

function startCommand(key: string, call: ChildCall, addressed: AddressedInput): Command {
  const input = decodeInput(addressed);
  return {
    type: "child.start",
    key,
    workflow: call.workflow,
    version: call.version,
    ...(input !== undefined && { input }),
    ...(call.reference !== undefined && { reference: call.reference }),
    ...(call.delayMs !== undefined && { delayMs: call.delayMs }),
    ...(call.pool !== undefined && { pool: call.pool }),
  };
}
