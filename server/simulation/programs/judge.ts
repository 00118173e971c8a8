/**
 * Judges one run against plain execution. Which of two things came first is chance and time, and the history says it;
 * everything else is known without it:
 *
 * - the program is carried out over plain promises that settle in recorded order, and must give the recorded end;
 * - whatever is recorded must be a call that plain execution has made by then, with the input that it gives;
 * - what a record says must be what really happened: a task's outcome is what that attempt returned or threw, its
 *   attempts are those of its policy, a child's end is how that run ended, an event goes to the wait that was called
 *   first, and of its name the oldest that was sent;
 * - whatever was executed must be a call of plain execution, with its input;
 * - what is settled by time or by a message in one commit stands there in the order of its instants;
 * - a confluent program gives what it gives without any history.
 */
import type { HistoryRecord } from "@aikirun/protocol";
import { childRunId, parseEntryKey, sha256Hex } from "@aikirun/protocol/canonical";
import type { Mail } from "../../src/core/run.js";
import { Violation } from "../violation.js";
import { aPriori, PlainRun, taskFailed } from "./plain.js";
import {
  type ChildInput,
  type ChildResult,
  isConfluent,
  MAX_ATTEMPTS,
  type Plan,
  planAt,
  type TaskInput,
  withoutNumbers,
} from "./program.js";

/** A run that has ended, as its database has it. */
export interface EndedRun {
  readonly id: string;
  readonly input: ChildInput;
  readonly records: readonly HistoryRecord[];
  readonly mail: readonly Mail[];
  readonly status: string;
  readonly output: unknown;
  readonly error: { readonly name: string; readonly message: string } | undefined;
}

/** What really was executed. */
export interface Execution {
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly input: unknown;
  readonly number: number;
}

export interface Evidence {
  readonly plan: Plan;
  readonly runs: ReadonlyMap<string, EndedRun>;
  readonly executions: ReadonlyMap<string, readonly Execution[]>;
}

export async function judgeRun(run: EndedRun, evidence: Evidence): Promise<void> {
  await new Judgement(run, evidence).pass();
}

const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Judgement {
  readonly #run: EndedRun;
  readonly #evidence: Evidence;
  readonly #plain: PlainRun;
  readonly #last = new Map<string, HistoryRecord>();
  readonly #delivered = new Set<number>();
  readonly #executions = new Map<string, Execution[]>();

  constructor(run: EndedRun, evidence: Evidence) {
    this.#run = run;
    this.#evidence = evidence;
    this.#plain = new PlainRun(evidence.plan, run.input.site, run.input.seen);
    for (const execution of evidence.executions.get(run.id) ?? []) {
      const of = this.#executions.get(execution.idempotencyKey) ?? [];
      this.#executions.set(execution.idempotencyKey, of);
      of.push(execution);
    }
  }

  async pass(): Promise<void> {
    for (const record of this.#run.records) {
      await drained();
      if (record.kind !== "run") this.#known(record);
      this.#settle(record);
      this.#last.set(record.key, record);
    }
    await drained();
    this.#checkEnd();
    this.#checkGivenUp();
    this.#checkExecutions();
    await this.#checkConfluence();
  }

  #known({ key, n }: HistoryRecord): void {
    if (!this.#plain.made(key)) this.#bad(`record ${n} is of ${key}, which plain execution has not called by then`);
  }

  #settle(record: HistoryRecord): void {
    const { key, value } = record;
    switch (record.kind) {
      case "task":
        return this.#settleTask(record);
      case "event":
        return this.#settleEvent(record);
      case "sleep":
        if (value.state === "closed") this.#checkClosed(key);
        else if (value.state !== "sleeping")
          this.#plain.settle(key, { value: { cancelled: value.state === "cancelled" } });
        return;
      case "child":
        return this.#settleChild(record);
      case "wait":
        return this.#settleWait(record);
    }
  }

  #settleTask(record: Extract<HistoryRecord, { kind: "task" }>): void {
    const { key, value } = record;
    const before = this.#last.get(key);
    const attemptsBefore = before?.kind === "task" ? before.value.attempts : 0;
    if (value.state === "retrying" && value.due) {
      if (value.attempts !== attemptsBefore) this.#bad(`${key} comes due after ${value.attempts} attempts`);
      return;
    }
    const { attempts } = value;
    if (attempts !== attemptsBefore + 1) this.#bad(`${key} records attempt ${attempts} after ${attemptsBefore}`);
    if (before?.kind === "task" && before.value.state === "retrying" && !before.value.due)
      this.#bad(`${key} records attempt ${attempts}, which was not due`);
    const input = this.#plain.made(key)?.input;
    const twin = input === "same";
    const fails = twin ? 0 : (input as TaskInput).fails;
    const state = attempts > fails ? "completed" : attempts < MAX_ATTEMPTS && !twin ? "retrying" : "failed";
    if (value.state !== state) this.#bad(`attempt ${attempts} of ${key} is recorded as ${value.state}, not ${state}`);
    const really = this.#attemptsOf(key).filter((one) => one.attempt === attempts);
    const told = value.state === "completed" ? String(value.output) : value.error.message;
    if (!really.some(({ number }) => told.endsWith(`@${number}`)))
      this.#bad(`attempt ${attempts} of ${key} gave ${told}; it was ${really.map(({ number }) => number)}`);
    if (value.state === "completed") this.#plain.settle(key, { value: value.output });
    if (value.state === "failed")
      this.#plain.settle(key, { reason: taskFailed(twin ? "twin" : "work", attempts, value.error.message) });
  }

  #attemptsOf(key: string): readonly Execution[] {
    return this.#executions.get(idempotencyKey(this.#run.id, key)) ?? [];
  }

  #settleEvent({ key, value }: Extract<HistoryRecord, { kind: "event" }>): void {
    const name = parseEntryKey(key)?.address ?? "";
    if (value.state === "received") {
      const body = this.#run.mail[value.message - 1]?.body;
      if (body?.kind !== "event" || body.name !== name) return this.#bad(`${key} received message ${value.message}`);
      const oldest = this.#run.mail.find(
        (mail) => mail.body.kind === "event" && mail.body.name === name && !this.#delivered.has(mail.n),
      );
      if (oldest?.n !== value.message) this.#bad(`${key} received message ${value.message} ahead of ${oldest?.n}`);
      const first = [...this.#last].find(
        ([other, { value: state }]) =>
          state.state === "waiting" &&
          parseEntryKey(other)?.address === name &&
          other.startsWith("event:") &&
          indexOf(other) < indexOf(key),
      );
      if (first) this.#bad(`${key} received an event that ${first[0]} waits for`);
      if (value.data !== body.data) this.#bad(`${key} received ${value.data}; sent was ${body.data}`);
      this.#delivered.add(value.message);
      this.#plain.settle(key, { value: { timeout: false, data: value.data } });
    } else if (value.state === "timedOut") this.#plain.settle(key, { value: { timeout: true } });
    else if (value.state === "closed") {
      this.#checkClosed(key);
      const before = this.#last.get(key);
      if (before?.kind === "event" && before.value.state === "received") this.#delivered.delete(before.value.message);
    }
  }

  #settleChild({ key, value }: Extract<HistoryRecord, { kind: "child" }>): void {
    const id = childRunId(this.#run.id, key);
    const child = this.#evidence.runs.get(id);
    if (value.runId !== id || !child) return this.#bad(`${key} is the run ${value.runId}, which does not exist`);
    const input = this.#plain.made(key)?.input;
    if (JSON.stringify(child.input) !== JSON.stringify(input))
      this.#bad(`${key} was started with ${JSON.stringify(child.input)}, called with ${JSON.stringify(input)}`);
    if (value.state === "started") return;
    if (value.status !== child.status || value.output !== child.output)
      this.#bad(`${key} is recorded as ${value.status} with ${value.output}; it ${child.status} with ${child.output}`);
    const end: ChildResult =
      child.status === "completed"
        ? { success: true, output: String(child.output) }
        : { success: false, cause: "run_terminated" };
    this.#plain.childEnded(key, end);
    // A wait that has no record of its own sees the end with it.
    for (const wait of this.#plain.all) {
      const address = parseEntryKey(wait.key)?.address;
      if (address === `${key}/completed` && !this.#isRecorded(wait.key)) this.#plain.settle(wait.key, { value: end });
    }
  }

  #isRecorded(key: string): boolean {
    return this.#run.records.some((record) => record.key === key);
  }

  #settleWait({ key, value }: Extract<HistoryRecord, { kind: "wait" }>): void {
    if (value.state === "closed") return this.#checkClosed(key);
    if (value.state === "timedOut") this.#plain.settle(key, { value: { success: false, cause: "timeout" } });
    if (value.state !== "ended") return;
    const child = this.#last.get((parseEntryKey(key)?.address ?? "").replace(/\/completed$/, ""));
    if (child?.kind !== "child" || child.value.state !== "ended") return this.#bad(`${key} ended before its child`);
    const { status, output } = child.value;
    const end =
      status === "completed" ? { success: true, output: String(output) } : { success: false, cause: "run_terminated" };
    this.#plain.settle(key, { value: end });
  }

  #checkClosed(key: string): void {
    if (!this.#plain.made(key)?.givenUp) this.#bad(`${key} is closed, and plain execution has not given it up`);
  }

  #checkEnd(): void {
    const { outcome } = this.#plain;
    const { status, output, error } = this.#run;
    if (!outcome) return this.#bad(`${status}, and plain execution does not end with its records`);
    const same =
      outcome.status === status &&
      (outcome.status === "completed"
        ? outcome.output === output
        : outcome.error.name === error?.name && outcome.error.message === error.message);
    if (!same)
      this.#bad(`ended as ${JSON.stringify({ status, output, error })}, plainly as ${JSON.stringify(outcome)}`);
  }

  /** What was given up keeps neither its place in a queue nor its timer, nor an event that nobody saw. */
  #checkGivenUp(): void {
    for (const { key, givenUp } of this.#plain.all) {
      const state = this.#last.get(key)?.value.state;
      if (givenUp && (state === "waiting" || state === "sleeping" || state === "received"))
        this.#bad(`${key} is given up and still ${state}`);
    }
  }

  #checkExecutions(): void {
    const calls = new Map([...this.#plain.all].map((call) => [idempotencyKey(this.#run.id, call.key), call]));
    for (const [key, executions] of this.#executions) {
      const call = calls.get(key);
      for (const { input, attempt } of executions) {
        if (!call || JSON.stringify(call.input) !== JSON.stringify(input))
          this.#bad(
            `attempt ${attempt} of a task ran with ${JSON.stringify(input)}, which plain execution does not call`,
          );
        if (attempt > 1 && !this.#isToRetry(call.key, attempt - 1))
          this.#bad(`attempt ${attempt} of ${call.key} ran, and the one before is not recorded as failed`);
      }
    }
  }

  #isToRetry(key: string, attempts: number): boolean {
    return this.#run.records.some(
      (record) =>
        record.kind === "task" &&
        record.key === key &&
        record.value.state === "retrying" &&
        record.value.attempts === attempts,
    );
  }

  async #checkConfluence(): Promise<void> {
    const { plan } = this.#evidence;
    const { site, seen } = this.#run.input;
    if (!isConfluent(planAt(plan, site))) return;
    const expected = await aPriori(plan, site, seen).catch(({ name, message }: Error) => `${name}: ${message}`);
    const { status, output, error } = this.#run;
    const really = status === "completed" ? String(output) : `${error?.name}: ${error?.message}`;
    if (withoutNumbers(really) !== withoutNumbers(expected)) this.#bad(`gives ${really} and must give ${expected}`);
  }

  #bad(message: string): never {
    throw new Violation("MODEL", `${this.#run.id} (${this.#run.input.site}) ${message}`);
  }
}

function indexOf(key: string): number {
  return parseEntryKey(key)?.index ?? 0;
}

export function idempotencyKey(runId: string, key: string): string {
  return `${runId}-${sha256Hex(key).slice(0, 32)}`;
}
