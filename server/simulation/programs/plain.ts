/**
 * The reference: a program over plain promises. `PlainRun` settles each by the record of its call, one record at a
 * time; `aPriori` settles each by itself. Nothing here is code of the engine but the names of calls (`entryKey`,
 * `inputHash`), which are part of the protocol.
 */
import { entryKey, inputHash } from "@aikirun/protocol/canonical";
import { VERSION, WORKFLOW } from "./durable.js";
import {
  type Calls,
  type ChildInput,
  type ChildResult,
  carryOut,
  MAX_ATTEMPTS,
  type Plan,
  planAt,
  type Received,
  type TaskInput,
} from "./program.js";

/** Of another class than `Promise`, as a call's is, so that awaiting it takes as many turns. */
class Plain<Value> extends Promise<Value> {
  /** What this promise waits for. */
  call: Call | undefined;

  // biome-ignore lint/suspicious/noThenProperty: what is made of a call's promise stands for the call
  override then<Result = Value, Caught = never>(
    onFulfilled?: ((value: Value) => Result | PromiseLike<Result>) | null,
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Result | Caught> {
    const made = super.then(onFulfilled, onRejected);
    if (made instanceof Plain) made.call = this.call;
    return made;
  }
}

/** A call that the program has made. */
export interface Made {
  readonly key: string;
  readonly input: unknown;
  /** The handler does not wait for it any more, though it has not settled. */
  readonly givenUp: boolean;
  readonly settled: boolean;
}

export type Outcome =
  | { readonly status: "completed"; readonly output: string }
  | { readonly status: "failed"; readonly error: { readonly name: string; readonly message: string } };

/** What a settled call gives, before its promise does. */
type Settled = { readonly value: unknown } | { readonly reason: unknown };
interface Call {
  readonly key: string;
  readonly input: unknown;
  givenUp: boolean;
  settled: boolean;
  settle(outcome: Settled): void;
}

export class PlainRun implements Calls {
  readonly #counts = new Map<string, number>();
  readonly #made = new Map<string, Call>();
  readonly #ends = new Map<string, ChildResult>();
  outcome: Outcome | undefined;

  constructor(whole: Plan, site: string, seen: string) {
    void carryOut(planAt(whole, site), site, seen, this).then(
      (output) => {
        this.outcome = { status: "completed", output };
      },
      ({ name, message }: Error) => {
        this.outcome = { status: "failed", error: { name, message } };
      },
    );
  }

  made(key: string): Made | undefined {
    return this.#made.get(key);
  }

  /** Every call so far. */
  get all(): Iterable<Made> {
    return this.#made.values();
  }

  task(input: TaskInput): Promise<string> {
    return this.#call("task", `work:${inputHash({ ...input })}`, input);
  }

  twin(): Promise<string> {
    return this.#call("task", `twin:${inputHash("same")}`, "same");
  }

  sleep(site: string): Promise<{ cancelled: boolean }> {
    return this.#call("sleep", site, undefined);
  }

  event(name: string, { timeoutMs, signal }: { timeoutMs?: number | undefined; signal?: AbortSignal }) {
    const promise = this.#call<Received>("event", name, undefined);
    const { call } = promise;
    signal?.addEventListener("abort", () => {
      if (!call || call.settled) return;
      call.givenUp = true;
      call.settle({ reason: signal.reason });
    });
    return timeoutMs === undefined ? promise.then((outcome) => outcome) : promise;
  }

  async child(input: ChildInput) {
    const key = this.#key("child", `${WORKFLOW}:${VERSION}:${inputHash({ ...input })}`);
    this.#made.set(key, { key, input, givenUp: false, settled: false, settle: () => {} });
    return {
      end: (): Promise<ChildResult> => {
        const wait = this.#call<ChildResult>("wait", `${key}/completed`, undefined);
        const end = this.#ends.get(key);
        if (end) wait.call?.settle({ value: end });
        return wait;
      },
    };
  }

  race(runners: readonly Promise<string>[]): Promise<string> {
    return new Plain((resolve, reject) => {
      let over = false;
      const first = (settle: (outcome: never) => void) => (outcome: unknown) => {
        if (over) return;
        over = true;
        for (const runner of runners) this.#giveUp(runner);
        settle(outcome as never);
      };
      for (const runner of runners) runner.then(first(resolve), first(reject));
    });
  }

  /** False when the handler does not wait for it. */
  settle(key: string, outcome: Settled): boolean {
    const call = this.#made.get(key);
    if (!call || call.settled || call.givenUp) return false;
    call.settle(outcome);
    return true;
  }

  /** The child's end: for whoever waits for it now or will. */
  childEnded(key: string, end: ChildResult): void {
    this.#ends.set(key, end);
    const child = this.#made.get(key);
    if (child) child.settled = true;
  }

  #giveUp(runner: Promise<unknown>): void {
    const call = runner instanceof Plain ? (runner.call as Call | undefined) : undefined;
    // Work goes on; what waits is given up.
    if (!call || call.settled || call.key.startsWith("task:")) return;
    call.givenUp = true;
  }

  #key(kind: "task" | "sleep" | "event" | "child" | "wait", address: string): string {
    const first = entryKey(kind, address, 0);
    const index = this.#counts.get(first) ?? 0;
    this.#counts.set(first, index + 1);
    return entryKey(kind, address, index);
  }

  #call<Value>(kind: "task" | "sleep" | "event" | "wait", address: string, input: unknown): Plain<Value> {
    const key = this.#key(kind, address);
    let settle: Call["settle"] = () => {};
    const promise = new Plain<Value>((resolve, reject) => {
      settle = (outcome) => ("value" in outcome ? resolve(outcome.value as Value) : reject(outcome.reason));
    });
    const call: Call = {
      key,
      input,
      givenUp: false,
      settled: false,
      settle(outcome) {
        if (this.settled) return;
        this.settled = true;
        settle(outcome);
      },
    };
    this.#made.set(key, call);
    promise.call = call;
    return promise;
  }
}

/** The program when every call settles by itself and every event comes: what a confluent one gives in any order. */
export async function aPriori(whole: Plan, site: string, seen: string): Promise<string> {
  const calls: Calls = {
    task: async ({ site: place, fails }) => {
      if (fails >= MAX_ATTEMPTS) throw taskFailed("work", MAX_ATTEMPTS, "no@0");
      return `t${place}@0`;
    },
    twin: async () => "w@0",
    sleep: async () => ({ cancelled: false }),
    event: (name) => (name === "never" ? new Promise(() => {}) : Promise.resolve({ timeout: false, data: 0 })),
    child: async (input) => ({ end: () => endOf(aPriori(whole, input.site, input.seen)) }),
    race: (runners) => Promise.race(runners),
  };
  return carryOut(planAt(whole, site), site, seen, calls);
}

async function endOf(run: Promise<string>): Promise<ChildResult> {
  return run.then(
    (output) => ({ success: true, output }),
    () => ({ success: false, cause: "run_terminated" }),
  );
}

/** What a handler catches when a task has failed for good. */
export function taskFailed(task: string, attempts: number, message: string): Error {
  const text = `Task ${task} failed after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}: ${message}`;
  return Object.assign(new Error(text), { name: "TaskFailedError" });
}
