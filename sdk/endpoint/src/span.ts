/** How long an invocation may last and who waits for it. Both change when it goes on in the background. */
export class Span {
  /** When it has to have answered. */
  endsAt: number;
  /** Resolves, perhaps never, once there is more time. */
  readonly extended: Promise<void>;
  readonly #gone = new AbortController();
  #extend: () => void = () => {};
  #isAwaited = true;

  constructor(endsAt: number, caller: AbortSignal | undefined) {
    this.endsAt = endsAt;
    this.extended = new Promise((resolve) => {
      this.#extend = resolve;
    });
    const leave = (): void => {
      if (this.#isAwaited) this.#gone.abort(caller?.reason);
    };
    caller?.addEventListener("abort", leave);
    if (caller?.aborted) leave();
  }

  /** Aborts when nobody wants the answer any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The caller has its answer: whether it goes away is all the same from now on. */
  outlive(endsAt: number): void {
    this.#isAwaited = false;
    this.endsAt = endsAt;
    this.#extend();
  }

  abandon(): void {
    this.#gone.abort();
  }
}

/** Kept back from the time for the answer to be made and to travel. */
export const ANSWER_MS = 2_000;

/** How long to work when so much time is left. */
export function workMs(leftMs: number): number {
  return Math.max(leftMs - ANSWER_MS, leftMs / 2, 0);
}
