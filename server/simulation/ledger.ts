/** What really happened outside of the engine: which task ran how often, in which invocation, with which input. */
import type { ExecuteRequest } from "@aikirun/protocol";
import { Violation } from "./violation.js";

/** One push, however often the network delivers it. */
export interface Push {
  readonly gen: number;
  /** What came back, whatever it was, has reached the dispatcher that waited for it: the outcome is known. */
  answered: boolean;
}

/** One delivery of a push to one instance. */
export interface Invocation {
  readonly runId: string;
  readonly runAttempt: number;
  /** Number of the last record that it was given. */
  readonly headN: number;
  readonly push: Push;
  readonly executed: Set<string>;
}

export class Ledger {
  readonly #executions = new Map<string, number>();
  readonly #unknown = new Map<string, number>();
  readonly #inputs = new Map<string, string>();
  /** By idempotency key: the record that a task completed. */
  readonly #completedN = new Map<string, number>();
  readonly #barred = new Map<string, { readonly gen: number; readonly seq: number }>();
  readonly #pushes = new Map<string, Map<string, Push>>();
  /** In a world without faults nothing may run twice. */
  readonly #exactlyOnce: boolean;
  #serial = 0;
  executions = 0;

  constructor(exactlyOnce: boolean) {
    this.#exactlyOnce = exactlyOnce;
  }

  /** A value that no other execution has. */
  fresh(): number {
    return ++this.#serial;
  }

  /** A push has reached an endpoint, for the first time or again. */
  invoked({ run, pushId, fence, history }: ExecuteRequest): Invocation {
    const { id: runId, runAttempt } = run;
    const { gen, seq } = fence;
    this.wentOn(runId, { gen, seq });
    const pushes = this.#pushes.get(runId) ?? new Map<string, Push>();
    this.#pushes.set(runId, pushes);
    let push = pushes.get(pushId);
    if (!push) {
      for (const other of pushes.values()) {
        if (other.gen === gen && !other.answered) {
          throw new Violation("REPUSH", `${runId} was pushed again under generation ${gen} while a push may still run`);
        }
      }
      push = { gen, answered: false };
      pushes.set(pushId, push);
      if (pushes.size > 300) throw new Violation("HOT", `${runId} was pushed ${pushes.size} times`);
    } else this.unknownOutcome(runId);
    return { runId, runAttempt, headN: history.head.n, push, executed: new Set() };
  }

  /** Under this fence an endpoint was told to go on, by a push or by the answer to a checkpoint. */
  wentOn(runId: string, { gen, seq }: { readonly gen: number; readonly seq: number }): void {
    const barred = this.#barred.get(runId);
    if (barred && (gen > barred.gen || (gen === barred.gen && seq >= barred.seq))) {
      throw new Violation("CANCEL", `${runId} goes on by a decision taken after its cancel was acknowledged`);
    }
  }

  /** A task's attempt begins. `site` is the call in the code, which has one input in an attempt of its handler. */
  execute(invocation: Invocation, site: string, key: string, attempt: number, input: string): void {
    const { runId, runAttempt } = invocation;
    this.executions += 1;
    if ((this.#completedN.get(key) ?? Number.POSITIVE_INFINITY) <= invocation.headN) {
      throw new Violation(
        "KEPT",
        `${key} of ${runId} runs again in attempt ${runAttempt}, though it is known to be done`,
      );
    }
    const place = `${runId}/${runAttempt}/${site}`;
    const before = this.#inputs.get(place);
    if (before !== undefined && before !== input) {
      throw new Violation("SITE", `${place} ran with ${before} and with ${input}: it saw a value that is not recorded`);
    }
    this.#inputs.set(place, input);
    const name = executionKey(key, runAttempt, attempt);
    if (invocation.executed.has(name)) throw new Violation("EXEC", `${name} ran twice in one invocation`);
    invocation.executed.add(name);
    const times = (this.#executions.get(name) ?? 0) + 1;
    this.#executions.set(name, times);
    if (this.#exactlyOnce && times > 1) throw new Violation("EXEC0", `${name} ran twice without a fault`);
    const most = 1 + (this.#unknown.get(runId) ?? 0);
    if (times > most) throw new Violation("EXEC", `${name} ran ${times} times; ${most} are accounted for`);
  }

  /** Whether an attempt that is recorded was made. `key` is its idempotency key. */
  wasMade(key: string, runAttempt: number, attempt: number): boolean {
    return this.#executions.has(executionKey(key, runAttempt, attempt));
  }

  /** Record `n` says that a task completed: whoever knows it does not run the task any more. */
  completed(key: string, n: number): void {
    this.#completedN.set(key, n);
  }

  /** A cancel was in the mailbox when this fence was given out: nothing is pushed under it or a later one. */
  bar(runId: string, fence: { readonly gen: number; readonly seq: number }): void {
    if (!this.#barred.has(runId)) this.#barred.set(runId, { gen: fence.gen, seq: fence.seq });
  }

  /** Nobody knows how a push of this run ended: what it ran may run once more. */
  unknownOutcome(runId: string): void {
    this.#unknown.set(runId, (this.#unknown.get(runId) ?? 0) + 1);
  }
}

function executionKey(key: string, runAttempt: number, attempt: number): string {
  return `${key}/${runAttempt}/${attempt}`;
}
