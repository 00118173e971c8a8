/** Longer than any statement: who has not used a connection for so long has it no more. */
const FORGOTTEN_MS = 60_000;
/** Nobody who still waits is silent for so long. */
const GONE_MS = 5_000;
/** About as long as one in the line takes, so that it is asked in time and not all the time. */
const TURN_MS = 5;
const LONGEST_PAUSE_MS = 3_000;

interface Turn {
  /** In the order of arrival. */
  readonly place: number;
  askedAt: number;
}

/**
 * Counts what is open among drivers that know nothing of each other, of which some may die without a word. Nobody can be
 * called: who waits asks again, the one who has waited longest comes first, and the farther back, the less often one asks.
 */
export class Room {
  readonly #most: number;
  readonly #now: () => number;
  readonly #usedAt = new Map<object, number>();
  /** The first to come stands first. */
  readonly #line = new Map<object, Turn>();
  #arrived = 0;

  constructor(most: number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#now = now;
  }

  /** 0: `asker` may open a connection now. Else in how many milliseconds it is to ask again, unless it gives up. */
  ask(asker: object): number {
    const now = this.#now();
    const turn = this.#line.get(asker) ?? { place: this.#arrived++, askedAt: now };
    turn.askedAt = now;
    this.#line.set(asker, turn);
    if (this.#usedAt.size >= this.#most) dropOlder(this.#usedAt, now - FORGOTTEN_MS);
    let left = this.#most - this.#usedAt.size;
    let first = turn.place;
    for (const [one, { place, askedAt }] of this.#line) {
      if (askedAt < now - GONE_MS) {
        this.#line.delete(one);
        continue;
      }
      first = Math.min(first, place);
      if (left-- <= 0) break;
      if (one !== asker) continue;
      this.#line.delete(asker);
      return 0;
    }
    return Math.min((1 + turn.place - first) * TURN_MS, LONGEST_PAUSE_MS);
  }

  givesUp(asker: object): void {
    this.#line.delete(asker);
  }

  /** More than half of it is taken. */
  isCrowded(): boolean {
    return 2 * this.#usedAt.size > this.#most;
  }

  use(client: object): void {
    this.#usedAt.set(client, this.#now());
  }

  leave(client: object): void {
    this.#usedAt.delete(client);
  }
}

function dropOlder(times: Map<object, number>, oldest: number): void {
  for (const [one, at] of times) if (at < oldest) times.delete(one);
}
