/** One call between its promise and its outcome. A closed one never settles, unless it is rejected. */
import type { HistoryRecord } from "@aikirun/protocol";
import { type CallLink, CallPromise } from "./call-promise.js";

export interface PendingCallOptions<Result> {
  /** What the promise gives for the record that settles it, or later when that is a promise; what it throws rejects. */
  readonly read: (record: HistoryRecord) => Result | Promise<Result>;
  /** Counts the calls that somebody awaits and that no record has settled. */
  readonly count: (change: 1 | -1) => void;
  /** How to give the call up. Absent for work, which goes on whoever waits for it. */
  readonly giveUp?: (() => void) | undefined;
}

export class PendingCall<Result> implements CallLink {
  readonly promise: CallPromise<Result>;
  readonly #options: PendingCallOptions<Result>;
  #state: "open" | "reading" | "over" = "open";
  isClosed = false;
  #isAwaited = false;
  #resolve: (value: Result) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #onOver: (() => void) | undefined;

  constructor(options: PendingCallOptions<Result>) {
    this.#options = options;
    this.promise = CallPromise.of<Result>(
      (resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      },
      { call: this },
    );
  }

  /** Calls back once the call has settled or was closed; at once when it is so already. */
  whenOver(callback: () => void): void {
    if (this.#state === "over") callback();
    else this.#onOver = callback;
  }

  awaited(): void {
    if (this.#state !== "open" || this.#isAwaited) return;
    this.#isAwaited = true;
    this.#options.count(1);
  }

  settle(record: HistoryRecord): void {
    if (this.#state !== "open") return;
    this.#leave("reading");
    try {
      const value = this.#options.read(record);
      if (!(value instanceof Promise)) return this.#fulfil(value);
      value.then(
        (later) => this.#fulfil(later),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    const { giveUp } = this.#options;
    if (!giveUp || this.#state === "over") return;
    this.isClosed = true;
    this.#end();
    giveUp();
  }

  /** Closes the call and rejects its promise; nothing once it has settled. */
  abort(reason: unknown): void {
    if (this.#state === "over") return;
    this.close();
    this.isClosed = false;
    CallPromise.handled(this.promise);
    this.#reject(reason);
  }

  #fulfil(value: Result): void {
    if (this.#state === "over") return;
    this.#end();
    this.#resolve(value);
  }

  #fail(error: unknown): void {
    if (this.#state === "over") return;
    this.#end();
    CallPromise.handled(this.promise);
    this.#reject(error);
  }

  #end(): void {
    this.#leave("over");
    this.#onOver?.();
  }

  #leave(next: "reading" | "over"): void {
    if (this.#state === "open" && this.#isAwaited) this.#options.count(-1);
    this.#state = next;
  }
}
