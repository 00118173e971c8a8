/**
 * How many pushes one endpoint gets at a time: additive increase, multiplicative decrease. 429 and 503 halve the
 * number, each success adds a fraction of one, up to what the registration allows.
 */
export class AdaptiveLimit {
  readonly #most: number;
  #limit: number;

  constructor(most: number) {
    this.#most = most;
    this.#limit = most;
  }

  get value(): number {
    return Math.floor(this.#limit);
  }

  lower(): void {
    this.#limit = Math.max(1, this.#limit / 2);
  }

  raise(): void {
    if (this.#limit < this.#most) this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit);
  }
}
