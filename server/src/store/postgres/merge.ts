/**
 * Calls that arrive together become one statement. One statement is under way at a time: a call that finds none goes
 * out at the end of the same tick, what arrives meanwhile is the next batch. Waiting longer to collect more gains
 * nothing and costs latency; two in flight are slower than one.
 */

/** What a call touches. In one statement a row is changed once, so calls that claim the same key go in turn. */
export interface Touched {
  /** Nobody else in the statement may touch these. */
  readonly own: readonly string[];
  /** Others may share these, but not own them: runs that get messages, which are added up. */
  readonly shared: readonly string[];
}

export interface MergeOptions<Call, Outcome> {
  readonly maxCalls: number;
  /** For reads: what arrives in one tick goes out together, and waits for no statement under way. */
  readonly atOnce?: boolean;
  touched(call: Call): Touched;
  /** Outcomes in the order of the calls. */
  run(calls: readonly Call[]): Promise<Outcome[]>;
  /** Whether one of the calls is at fault, so that the others may succeed without it. */
  isPoisoned(error: unknown): boolean;
}

interface Waiting<Call, Outcome> {
  readonly call: Call;
  readonly touched: Touched;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

export class Merge<Call, Outcome> {
  readonly #options: MergeOptions<Call, Outcome>;
  #queue: Waiting<Call, Outcome>[] = [];
  #busy = false;

  constructor(options: MergeOptions<Call, Outcome>) {
    this.#options = options;
  }

  add(call: Call): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ call, touched: this.#options.touched(call), resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      queueMicrotask(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const sent = this.#send(this.#take());
      if (!this.#options.atOnce) await sent;
    }
    this.#busy = false;
  }

  /** The longest run of compatible calls, oldest first; what does not fit keeps its place. */
  #take(): Waiting<Call, Outcome>[] {
    const owned = new Set<string>();
    const shared = new Set<string>();
    const batch: Waiting<Call, Outcome>[] = [];
    const rest: Waiting<Call, Outcome>[] = [];
    for (const waiting of this.#queue) {
      const { touched } = waiting;
      const fits =
        batch.length < this.#options.maxCalls &&
        !touched.own.some((key) => owned.has(key) || shared.has(key)) &&
        !touched.shared.some((key) => owned.has(key));
      (fits ? batch : rest).push(waiting);
      // A call that has to wait still keeps its keys from those behind it, so that it is not overtaken.
      for (const key of touched.own) owned.add(key);
      for (const key of touched.shared) shared.add(key);
    }
    this.#queue = rest;
    return batch;
  }

  /** Never throws. A batch that one call poisons is halved until the call stands alone. */
  async #send(batch: readonly Waiting<Call, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#options.run(batch.map(({ call }) => call));
      for (const [i, waiting] of batch.entries()) waiting.resolve(outcomes[i] as Outcome);
    } catch (error) {
      if (batch.length > 1 && this.#options.isPoisoned(error)) {
        const half = batch.length >> 1;
        await this.#send(batch.slice(0, half));
        await this.#send(batch.slice(half));
      } else {
        for (const { reject } of batch) reject(error);
      }
    }
  }
}
