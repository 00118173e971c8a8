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
import { type AddressedInput, addressInput, decodeInput } from "./input-address.js";
import type { Journal } from "./journal.js";

/** A task that may run now: called for the first time, or to be tried again. */
export interface StartableTask {
  readonly key: string;
  readonly call: TaskCall;
  readonly input: AddressedInput;
  readonly taskAttempt: number;
}

/** An open call: what its promise does with the record that settles it. */
type Settle = (record: HistoryRecord) => void;

export class Calls implements RunEngine {
  readonly #run: PushedRun;
  readonly #journal: Journal;
  readonly #indexes = new Map<string, number>();
  readonly #open = new Map<string, Settle>();
  /** Waits without an entry of their own, by the child whose end is recorded but not offered yet. */
  readonly #lateWaits = new Map<string, Settle[]>();
  readonly #failedTasks = new WeakMap<Error, string>();
  readonly #onCall: () => void;
  #closed = false;

  /** Commands of sleeps, waits and children, in the order of the calls. Whoever answers takes them out. */
  readonly commands: Command[] = [];
  /** Tasks that were called and neither started nor recorded. */
  readonly startable: StartableTask[] = [];
  /** Calls that history does not know, as a person reads them. */
  readonly asked: string[] = [];
  /** A child with a reference id is asked for, and its run id is known only after the commit. */
  awaitsCommit = false;

  constructor(run: PushedRun, journal: Journal, onCall: () => void) {
    this.#run = run;
    this.#journal = journal;
    this.#onCall = onCall;
  }

  /** Calls whose promise has not settled. */
  get openCalls(): number {
    return this.#open.size + this.#lateWaits.size;
  }

  /** After this no call does anything: its promise stays open for ever. */
  close(): void {
    this.#closed = true;
  }

  /** Settles what waits for a record. False when nothing does, so that no microtask needs to be awaited. */
  settle(record: HistoryRecord): boolean {
    const settle = this.#open.get(record.key);
    this.#open.delete(record.key);
    settle?.(record);
    const ended = record.kind === "child" && record.value.state === "ended";
    const waits = ended ? this.#lateWaits.get(record.key) : undefined;
    if (waits) this.#lateWaits.delete(record.key);
    for (const wait of waits ?? []) wait(record);
    return settle !== undefined || waits !== undefined;
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
      const addressed = addressInput(input, `Task ${call.name} was given an input`);
      const key = this.#key("task", `${call.name}:${addressed.hash}`);
      const entry = this.#journal.ask(key);
      if (!entry) this.asked.push(describeCall("task", call.name, addressed.text));
      const retrying =
        entry?.last.kind === "task" && entry.last.value.state === "retrying" ? entry.last.value : undefined;
      if (!entry || retrying?.due) {
        this.startable.push({ key, call, input: addressed, taskAttempt: (retrying?.attempts ?? 0) + 1 });
      }
      return this.#settled(key, entry?.offered, (record) => this.#taskResult(call.name, record));
    });
  }

  sleep(name: string, duration: Duration): Promise<{ cancelled: boolean }> {
    return this.#call(() => {
      checkName(name, "A sleep's name");
      const sleepMs = durationMs(duration, `Sleep ${name}`);
      const key = this.#key("sleep", name);
      const entry = this.#journal.ask(key);
      if (!entry) {
        this.asked.push(describeCall("sleep", name));
        this.commands.push({ type: "sleep", key, durationMs: sleepMs });
      }
      return this.#settled(key, entry?.offered, ({ value }) => ({ cancelled: value.state === "cancelled" }));
    });
  }

  waitForEvent(name: string, event: AnyEvent, timeout: Duration | undefined): Promise<EventOutcome> {
    return this.#call(() => {
      const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, `The timeout of event ${name}`);
      const key = this.#key("event", name);
      const entry = this.#journal.ask(key);
      if (!entry) {
        this.asked.push(describeCall("event", name));
        this.commands.push({ type: "event.wait", key, ...(timeoutMs !== undefined && { timeoutMs }) });
      }
      const outcome = this.#settled(key, entry?.offered, eventOutcome);
      return event.schema ? handled(outcome.then((received) => checkedData(name, event, received))) : outcome;
    });
  }

  /**
   * Settles at once: without a reference the child's run id follows from the parent's and the key. With one, the run
   * may exist already, so the promise settles with the recorded start.
   */
  startChild(call: ChildCall, input: unknown): Promise<StartedChild> {
    return this.#call(() => {
      const subject = `${call.workflow}@${call.version}`;
      const addressed = addressInput(input, `Child ${subject} was given an input`);
      const key = this.#key("child", `${call.workflow}:${call.version}:${call.reference ?? addressed.hash}`);
      const entry = this.#journal.ask(key);
      const started = (runId: string): StartedChild => ({
        runId,
        waitForEnd: (awaited, timeout) => this.#waitForChild(key, subject, awaited, timeout),
      });
      const ask = (): Promise<StartedChild> => {
        if (!entry) {
          this.asked.push(describeCall("child", subject, addressed.text));
          this.commands.push(startCommand(key, call, addressed));
        }
        if (call.reference === undefined) return Promise.resolve(started(childRunId(this.#run.id, key)));
        if (!entry) this.awaitsCommit = true;
        return this.#settled(key, entry?.offered, (record) =>
          started(record.kind === "child" ? record.value.runId : ""),
        );
      };
      if (entry) return ask();
      const checked = check(call.inputSchema, input, `The input of child ${subject}`);
      return checked instanceof Promise ? handled(checked.then(ask)) : ask();
    });
  }

  #waitForChild(
    child: string,
    subject: string,
    awaited: TerminalStatus,
    timeout: Duration | undefined,
  ): Promise<ChildEnd | undefined> {
    return this.#call(() => {
      const timeoutMs = timeout === undefined ? undefined : durationMs(timeout, `The timeout of child ${subject}`);
      const key = this.#key("wait", `${child}/${awaited}`);
      const entry = this.#journal.ask(key);
      const end = this.#journal.look(child);
      const result = (record: HistoryRecord): ChildEnd | undefined =>
        record.value.state === "timedOut" ? undefined : childEnd(this.#journal.look(child)?.last);
      if (entry) return this.#settled(key, entry.offered, result);
      // The child's end was recorded before this wait was: it needs no entry of its own.
      if (end?.offered && childEnd(end.offered)) return Promise.resolve(childEnd(end.offered));
      if (childEnd(end?.last)) return this.#settledLate(child, result);
      this.asked.push(describeCall("wait for child", `${subject} to be ${awaited}`));
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

  #key(kind: "task" | "sleep" | "event" | "child" | "wait", address: string): string {
    const first = entryKey(kind, address, 0);
    const index = this.#indexes.get(first) ?? 0;
    this.#indexes.set(first, index + 1);
    return index === 0 ? first : entryKey(kind, address, index);
  }

  /** A promise of what `read` makes of the settling record; what `read` throws rejects it. */
  #settled<Result>(
    key: string,
    offered: HistoryRecord | undefined,
    read: (record: HistoryRecord) => Result,
  ): Promise<Result> {
    return handled(
      new Promise((resolve, reject) => {
        const settle = settler(read, resolve, reject);
        if (offered) settle(offered);
        else this.#open.set(key, settle);
      }),
    );
  }

  #settledLate<Result>(child: string, read: (record: HistoryRecord) => Result): Promise<Result> {
    return handled(
      new Promise((resolve, reject) => {
        const waits = this.#lateWaits.get(child) ?? [];
        waits.push(settler(read, resolve, reject));
        this.#lateWaits.set(child, waits);
      }),
    );
  }

  #taskResult(name: string, record: HistoryRecord): unknown {
    if (record.kind !== "task" || record.value.state === "retrying") return undefined;
    if (record.value.state === "completed") return copyJson(record.value.output);
    const error = new TaskFailedError(name, record.value.attempts, record.value.error);
    this.#failedTasks.set(error, record.key);
    throw error;
  }
}

function settler<Result>(
  read: (record: HistoryRecord) => Result,
  resolve: (result: Result) => void,
  reject: (error: unknown) => void,
): Settle {
  return (record) => {
    try {
      resolve(read(record));
    } catch (error) {
      reject(error);
    }
  };
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
  };
}
