/** What a rejection's reason is to the language. */
type Reason = Parameters<NonNullable<Parameters<Promise<never>["catch"]>[0]>>[0];

/** Any of them: a constraint that says nothing about values, so that theirs are inferred. */
export interface AnyRunPromise {
  readonly [Symbol.toStringTag]: "RunPromise";
}

/**
 * A promise of one of a run's calls, or what `then`, `catch` and `finally` made of one: what `run.race` takes. An
 * `async` function gives an ordinary promise, of which nobody knows what it waits for.
 */
export interface RunPromise<Value> extends Promise<Value>, AnyRunPromise {
  readonly [Symbol.toStringTag]: "RunPromise";
  then<Result = Value, Caught = never>(
    onFulfilled?: ((value: Value) => Result | PromiseLike<Result>) | null,
    onRejected?: ((reason: Reason) => Caught | PromiseLike<Caught>) | null,
  ): RunPromise<Result | Caught>;
  catch<Caught = never>(
    onRejected?: ((reason: Reason) => Caught | PromiseLike<Caught>) | null,
  ): RunPromise<Value | Caught>;
  finally(onFinally?: (() => void) | null): RunPromise<Value>;
}
