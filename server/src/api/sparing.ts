/**
 * An answer that took long is given again for twenty times as long: whoever asks for it all the time keeps the database
 * busy for a twentieth of the time. What is quick is asked for anew. Askers that come together share one question.
 */
const SHARE = 20;
const LONG_MS = 250;

interface Known<T> {
  readonly answer: Promise<T>;
  goodUntil: number;
}

export class Sparing<T> {
  readonly #ask: (key: string) => Promise<T>;
  readonly #now: () => number;
  readonly #known = new Map<string, Known<T>>();

  constructor(ask: (key: string) => Promise<T>, now: () => number = () => performance.now()) {
    this.#ask = ask;
    this.#now = now;
  }

  get(key: string): Promise<T> {
    const known = this.#known.get(key);
    if (known && this.#now() < known.goodUntil) return known.answer;
    const askedAt = this.#now();
    const asked: Known<T> = { answer: this.#ask(key), goodUntil: Number.POSITIVE_INFINITY };
    this.#known.set(key, asked);
    asked.answer.then(
      () => {
        const tookMs = this.#now() - askedAt;
        if (tookMs >= LONG_MS) asked.goodUntil = this.#now() + SHARE * tookMs;
        else this.#known.delete(key);
      },
      () => this.#known.delete(key),
    );
    return asked.answer;
  }
}
