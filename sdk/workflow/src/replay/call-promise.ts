/** The promise of a call, which knows what it stems from: so that a race can close what its losers wait for. */
import type { RunPromise } from "../run-promise.js";

/** What a promise tells of its call. */
export interface CallLink {
  /** Somebody waits for the promise. Called each time. */
  awaited(): void;
  /** Nobody does any longer. */
  close(): void;
  /** It was closed before it settled, so that it never will. */
  readonly isClosed: boolean;
}

export class CallPromise<Value> extends Promise<Value> implements RunPromise<Value> {
  #call: CallLink | undefined;
  /** What this promise was made of: closing it closes them. */
  #sources: CallPromise<unknown>[] | undefined;
  /** Any one of its sources settles it. */
  #races = false;
  #closed = false;

  override get [Symbol.toStringTag](): "RunPromise" {
    return "RunPromise";
  }

  static of<Value>(
    executor: (resolve: (value: Value | PromiseLike<Value>) => void, reject: (reason: unknown) => void) => void,
    from: { readonly call: CallLink } | { readonly runners: CallPromise<unknown>[] },
  ): CallPromise<Value> {
    const promise = new CallPromise(executor);
    if ("call" in from) promise.#call = from.call;
    else {
      promise.#sources = from.runners;
      promise.#races = true;
    }
    return promise;
  }

  /** Gives up whatever a promise waits for, and what its callbacks will wait for. */
  static close(promise: CallPromise<unknown>): void {
    promise.#closed = true;
    promise.#call?.close();
    for (const source of promise.#sources ?? []) CallPromise.close(source);
  }

  /** Whether a promise waits for something that was closed, so that it never settles. */
  static isClosed(promise: CallPromise<unknown>): boolean {
    const sources = promise.#sources ?? [];
    if (promise.#races) return sources.every(CallPromise.isClosed);
    return promise.#call?.isClosed ?? sources.some(CallPromise.isClosed);
  }

  /** A handler may await a promise long after it was rejected, or never: that must not bring down the process. */
  static handled<Value>(promise: CallPromise<Value>): CallPromise<Value> {
    promise.#subscribe(undefined, () => {});
    return promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise whose descendants are known
  override then<Result = Value, Caught = never>(
    onFulfilled?: ((value: Value) => Result | PromiseLike<Result>) | null,
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): CallPromise<Result | Caught> {
    this.#call?.awaited();
    const adopt = <Given>(given: Given): Given => {
      if (given instanceof CallPromise) derived.#adopt(given);
      return given;
    };
    const derived = this.#subscribe(
      onFulfilled && ((value: Value) => adopt(onFulfilled(value))),
      onRejected && ((reason: unknown) => adopt(onRejected(reason))),
    );
    derived.#sources = [this];
    // With both callbacks it is an `await`, as a rule, which looks at its own outcome.
    return onFulfilled && onRejected ? derived : CallPromise.handled(derived);
  }

  /** What a callback gives is waited for in its turn. */
  #adopt(given: CallPromise<unknown>): void {
    this.#sources?.push(given);
    if (this.#closed) CallPromise.close(given);
  }

  /** As `Promise.prototype.then`, unnoticed. By its species it gives a promise of this class. */
  #subscribe<Result = Value, Caught = never>(
    onFulfilled?: ((value: Value) => Result | PromiseLike<Result>) | null,
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): CallPromise<Result | Caught> {
    return super.then(onFulfilled, onRejected) as CallPromise<Result | Caught>;
  }

  override catch<Caught = never>(
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): CallPromise<Value | Caught> {
    return this.then(undefined, onRejected);
  }

  override finally(onFinally?: (() => void) | null): CallPromise<Value> {
    return CallPromise.handled(super.finally(onFinally) as CallPromise<Value>);
  }
}
