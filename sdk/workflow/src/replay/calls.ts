/**
 * What a handler's calls do during a replay. A call whose result is recorded settles when replay comes to that record,
 * or at once when it already has; every other call stays open: its promise never settles by itself, so suspension is
 * never an exception. Pure: commands and startable tasks come out, results go in.
 */
import type { Command, HistoryRecord, PushedRun, TerminalStatus } from "@aikirun/protocol";
import { AikiError, childRunId, entryKey } from "@aikirun/protocol/canonical";
import { type Duration, durationMs } from "../duration.js";
import type { ChildCall, ChildEnd, EventOutcome, EventWaitOptions, RunEngine, StartedChild } from "../engine.js";
import { TaskFailedError } from "../errors.js";
import type { AnyEvent } from "../event.js";
import { checkName } from "../names.js";
import { copyJson } from "../record.js";
import { check } from "../schema.js";
import type { TaskCall } from "../task.js";
import { CallPromise } from "./call-promise.js";
import { type AskedCall, describeCall, describeClose } from "./divergence.js";
import { settles } from "./history.js";
import { type AddressedInput, addressInput, decodeInput } from "./input-address.js";
import type { Journal, Settle } from "./journal.js";
import { PendingCall } from "./pending-call.js";
import { raceOf } from "./race.js";

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
  /** Children with a reference id, by their key, each with the address that its input has. */
  readonly #referenced = new Map<string, { readonly address: string; readonly child: CallPromise<StartedChild> }>();
  /** The last record of each key that came while this invocation went on: news to its call, made already or later. */
  readonly #news = new Map<string, HistoryRecord>();
  readonly #failedTasks = new WeakMap<Error, string>();
  readonly #onCall: () => void;
  readonly #count = (change: 1 | -1): void => {
    this.#awaited += change;
  };
  #awaited = 0;
  #closed = false;

  /** Commands of sleeps, waits and children, in the order of the calls. Whoever answers takes them out. */
  readonly commands: Command[] = [];
  /** Tasks that were called and neither started nor recorded. */
  readonly startable: StartableTask[] = [];
  /** Calls that history does not know. */
  readonly asked: AskedCall[] = [];

  constructor(run: PushedRun, journal: Journal, onCall: () => void) {
    this.#run = run;
    this.#journal = journal;
    this.#onCall = onCall;
  }

  /** Whether anybody waits for a call that has not settled. */
  get anyAwaited(): boolean {
    return this.#awaited > 0;
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
    this.#news.set(key, record);
    if (kind === "task") {
      const task = this.#retrying.get(key);
      if (task && value.state === "retrying" && value.due)
        this.startable.push({ ...task, taskAttempt: value.attempts + 1 });
      return;
    }
    if (!settles(record)) return;
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

  task(call: TaskCall, input: unknown): CallPromise<unknown> {
    return this.#call(() => {
      const addressed = addressInput("task", call.name, input, `Task ${call.name} was given an input`);
      const { key, entry } = this.#journal.call(addressed.firstKey);
      if (entry === undefined) this.#ask("task", call.name, addressed.text);
      const last = this.#news.get(key) ?? this.#journal.last(entry);
      const retrying = last?.kind === "task" && last.value.state === "retrying" ? last.value : undefined;
      if (entry === undefined || retrying?.due) {
        this.startable.push({ key, call, input: addressed, taskAttempt: (retrying?.attempts ?? 0) + 1 });
      } else if (retrying) this.#retrying.set(key, { key, call, input: addressed });
      return this.#settled(key, entry, (record) => this.#taskResult(call.name, record)).promise;
    });
  }

  sleep(name: string, duration: Duration): CallPromise<{ cancelled: boolean }> {
    return this.#call(() => {
      checkName(name, "A sleep's name");
      const sleepMs = durationMs(duration, `Sleep ${name}`);
      const { key, entry } = this.#journal.call(entryKey("sleep", name, 0));
      if (entry === undefined) {
        this.#ask("sleep", name);
        this.commands.push({ type: "sleep", key, durationMs: sleepMs });
      }
      const read = ({ value }: HistoryRecord) => ({ cancelled: value.state === "cancelled" });
      return this.#settled(key, entry, read, "sleep").promise;
    });
  }

  waitForEvent(name: string, event: AnyEvent, { timeout, signal }: EventWaitOptions): CallPromise<EventOutcome> {
    return this.#call(() => {
      checkSignal(signal, name);
      const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, `The timeout of event ${name}`);
      const { key, entry } = this.#journal.call(entryKey("event", name, 0));
      if (entry === undefined) {
        this.#ask("event", name);
        this.commands.push({ type: "event.wait", key, ...(timeoutMs !== undefined && { timeoutMs }) });
      }
      const read = event.schema
        ? (record: HistoryRecord) => checkedData(name, event, eventOutcome(record))
        : eventOutcome;
      const call = this.#settled(key, entry, read, "event");
      if (signal) this.#closeOnAbort(call, signal);
      return call.promise;
    });
  }

  /** Settles as the first of them; the calls that the others wait for are closed. */
  race(promises: readonly unknown[]): CallPromise<unknown> {
    return this.#call(() => raceOf(promises));
  }

  /**
   * Settles at once: the child's run id follows from the parent's and the key. A reference id stands in the key for the
   * input, so that a second call with it gives the same child.
   */
  startChild(call: ChildCall, input: unknown): CallPromise<StartedChild> {
    return this.#call(() => {
      const address = `${call.workflow}:${call.version}`;
      const subject = `${call.workflow}@${call.version}`;
      const addressed = addressInput("child", address, input, `Child ${subject} was given an input`);
      if (call.reference === undefined) return this.#startChild(addressed.firstKey, call, addressed, input);
      const { id, conflictPolicy } = call.reference;
      const firstKey = entryKey("child", `${address}:${id}`, 0);
      const known = this.#referenced.get(firstKey);
      if (known && known.address !== addressed.firstKey && conflictPolicy !== "return_existing") {
        throw new AikiError(
          "REFERENCE_CONFLICT",
          `The reference id ${JSON.stringify(id)} belongs to a child of ${subject} that was started with other input. Use another reference id, or conflictPolicy return_existing.`,
        );
      }
      if (known) return known.child;
      const child = this.#startChild(firstKey, call, addressed, input);
      this.#referenced.set(firstKey, { address: addressed.firstKey, child });
      return child;
    });
  }

  #startChild(firstKey: string, call: ChildCall, addressed: AddressedInput, input: unknown): CallPromise<StartedChild> {
    const subject = `${call.workflow}@${call.version}`;
    const { key, entry } = this.#journal.call(firstKey);
    const started = (runId: string): StartedChild => ({
      runId,
      waitForEnd: (awaited, timeout, read) => this.#waitForChild(key, subject, awaited, timeout, read),
    });
    const ask = (): CallPromise<StartedChild> => {
      if (entry === undefined) {
        this.#ask("child", subject, addressed.text);
        this.commands.push(startCommand(key, call, addressed));
      }
      return given(started(childRunId(this.#run.id, key)));
    };
    if (entry !== undefined) return ask();
    const checked = check(call.inputSchema, input, `The input of child ${subject}`);
    return checked instanceof Promise ? CallPromise.handled(given(checked.then(() => this.#call(ask)))) : ask();
  }

  #waitForChild<Result>(
    child: string,
    subject: string,
    awaited: TerminalStatus,
    timeout: Duration | undefined,
    read: (end: ChildEnd | undefined) => Result,
  ): CallPromise<Result> {
    return this.#call(() => {
      const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, `The timeout of child ${subject}`);
      const { key, entry } = this.#journal.call(entryKey("wait", `${child}/${awaited}`, 0));
      const end = this.#journal.look(child);
      const result = (record: HistoryRecord): Result =>
        read(
          record.value.state === "timedOut" ? undefined : childEnd(this.#news.get(child) ?? this.#journal.last(end)),
        );
      if (entry !== undefined) return this.#settled(key, entry, result, "wait").promise;
      // The child's end was recorded before this wait was: it needs no entry of its own.
      const seen = childEnd(this.#news.get(child) ?? this.#journal.offered(end));
      if (seen) return given(read(seen));
      if (childEnd(this.#journal.last(end))) return this.#settledLate(child, result);
      this.#ask("wait for child", `${subject} to be ${awaited}`);
      this.commands.push({
        type: "child.wait",
        key,
        child,
        status: awaited,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
      return this.#settled(key, undefined, result, "wait").promise;
    });
  }

  /** Runs a call; what it throws rejects its promise. */
  #call<Result>(make: () => CallPromise<Result>): CallPromise<Result> {
    this.#onCall();
    if (this.#closed) return new CallPromise(() => {});
    try {
      return make();
    } catch (error) {
      return CallPromise.handled(new CallPromise((_, reject) => reject(error)));
    }
  }

  /** For the message about a divergence: there is none once all that is recorded was asked for. */
  #ask(kind: string, name: string, input?: string): void {
    if (this.#journal.unasked > 0) this.asked.push(describeCall(kind, name, input));
  }

  /** A call that the settling record of an entry ends. With a `kind` it is a wait, which can be given up. */
  #settled<Result>(
    key: string,
    entry: number | undefined,
    read: (record: HistoryRecord) => Result | Promise<Result>,
    kind?: WaitKind,
  ): PendingCall<Result> {
    const giveUp = kind && (() => this.#giveUp(kind, key, entry));
    const call = new PendingCall({ read, count: this.#count, giveUp });
    const settle: Settle = (record) => call.settle(record);
    const news = this.#news.get(key);
    const offered = news && settles(news) ? news : this.#journal.offered(entry);
    // An entry that was given up settles nothing, also when the code has changed and holds on to it.
    if (this.#journal.isClosed(entry)) return call;
    if (offered) settle(offered);
    else if (entry !== undefined) this.#journal.await(entry, settle);
    else this.#fresh.set(key, settle);
    return call;
  }

  #settledLate<Result>(child: string, read: (record: HistoryRecord) => Result): CallPromise<Result> {
    const call = new PendingCall({ read, count: this.#count, giveUp: () => {} });
    const settle: Settle = (record) => call.settle(record);
    const waits = this.#lateWaits.get(child);
    if (waits) waits.push(settle);
    else this.#lateWaits.set(child, [settle]);
    return call.promise;
  }

  /** Nobody waits for this entry any more: asks for its close, unless that is recorded or it has ended by itself. */
  #giveUp(kind: WaitKind, key: string, entry: number | undefined): void {
    if (this.#closed) return;
    this.#onCall();
    this.#fresh.delete(key);
    if (!this.#journal.close(entry)) return;
    if (this.#journal.unasked > 0) this.asked.push({ call: describeClose(key), input: undefined });
    this.commands.push({ type: `${kind}.close`, key });
  }

  #closeOnAbort<Result>(call: PendingCall<Result>, signal: AbortSignal): void {
    const abort = (): void => {
      if (!this.#closed) call.abort(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    call.whenOver(() => signal.removeEventListener("abort", abort));
  }

  #taskResult(name: string, record: HistoryRecord): unknown {
    if (record.kind !== "task" || record.value.state === "retrying") return undefined;
    if (record.value.state === "completed") return copyJson(record.value.output);
    const error = new TaskFailedError(name, record.value.attempts, record.value.error);
    this.#failedTasks.set(error, record.key);
    throw error;
  }
}

/** The entries that wait for something, and can be given up. */
type WaitKind = "event" | "sleep" | "wait";

function given<Value>(value: Value | Promise<Value>): CallPromise<Value> {
  return new CallPromise((resolve) => resolve(value));
}

/** Throws the signal's reason when it has been aborted. */
function checkSignal(signal: AbortSignal | undefined, event: string): void {
  if (signal === undefined) return;
  if (typeof signal?.addEventListener !== "function") {
    throw new AikiError("INVALID_ARGUMENT", `The signal of the wait for event ${event} is not an AbortSignal.`);
  }
  signal.throwIfAborted();
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
    ...(call.reference !== undefined && { reference: call.reference.id }),
    ...(call.delayMs !== undefined && { delayMs: call.delayMs }),
    ...(call.pool !== undefined && { pool: call.pool }),
  };
}
