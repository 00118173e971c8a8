/** Time that passes only when somebody moves it. */
interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class VirtualClock {
  #now: number;
  /** By instant; of one instant, in the order in which they were set. */
  readonly #timers: Timer[] = [];

  constructor(startAt: number) {
    this.#now = startAt;
  }

  /** Milliseconds since the Unix epoch. */
  get now(): number {
    return this.#now;
  }

  /** Calls `run` once, `ms` from now; never for a time without end. Returns what prevents it. */
  after(ms: number, run: () => void): () => void {
    const at = this.#now + Math.max(0, Math.ceil(ms));
    if (at === Number.POSITIVE_INFINITY) return () => {};
    const timer: Timer = { at, run };
    this.#timers.splice(this.#placeAfter(at), 0, timer);
    return () => {
      const place = this.#timers.indexOf(timer);
      if (place >= 0) this.#timers.splice(place, 1);
    };
  }

  /** Of the first timer. */
  get nextAt(): number | undefined {
    return this.#timers[0]?.at;
  }

  /** Time does not run backwards. */
  moveTo(at: number): void {
    this.#now = Math.max(this.#now, at);
  }

  /** Fires the first timer if its time has come. */
  fireDue(): void {
    const [first] = this.#timers;
    if (!first || first.at > this.#now) return;
    this.#timers.shift();
    first.run();
  }

  #placeAfter(at: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle] as Timer).at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
