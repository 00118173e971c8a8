/**
 * How many pushes one endpoint gets at a time: additive increase, multiplicative decrease. 429 and 503 halve the
 * number, each success adds a fraction of one, up to what the registration allows.
 */
export class Slots {
  readonly #most: number;
  #limit: number;
  #used = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
    this.#limit = most;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Undefined when a slot was free; else a promise for one, false when `signal` aborted first. */
  acquire(signal: AbortSignal): Promise<boolean> | undefined {
    if (this.#used < this.limit && this.#waiting.length === 0) {
      this.#used++;
      return undefined;
    }
    return new Promise((resolve) => {
      const grant = () => {
        signal.removeEventListener("abort", giveUp);
        this.#used++;
        resolve(true);
      };
      const giveUp = () => {
        const at = this.#waiting.indexOf(grant);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve(false);
      };
      if (signal.aborted) return resolve(false);
      this.#waiting.push(grant);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  release(outcome: "ok" | "busy" | "other"): void {
    this.#used--;
    if (outcome === "busy") this.#limit = Math.max(1, this.#limit / 2);
    if (outcome === "ok") this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit);
    while (this.#used < this.limit) {
      const next = this.#waiting.shift();
      if (!next) return;
      next();
    }
  }
}
