/**
 * When virtual time may pass. The world is at rest when the event loop has turned several times without anything
 * happening and no user code is at work. Code that waits for something real (a file, a socket, a timer) holds the clock,
 * for as long as real patience lasts; code that only waits for virtual time does not.
 */
import { afterRealMs, realMs, turn } from "./real-time.js";
import { VirtualClock } from "./virtual-clock.js";

/** User code at work: one invocation of a handler, with the tasks that it runs. */
export interface Work {
  /** Attempts under way, and how many of them wait for virtual time. */
  running: number;
  sleeping: number;
  /** Real patience with it is at its end: it holds the clock no longer. */
  hangs: boolean;
}

export interface WorldOptions {
  readonly startAt: number;
  /** Milliseconds of real time without a sign of life that user code may take before the clock goes on. */
  readonly patienceMs: number;
  /** When some run comes due by itself. */
  readonly nextDueAt: () => Promise<number | undefined>;
  /** Some run has come due. */
  readonly wake: () => void;
}

/** How much time may pass. */
export interface Span {
  readonly ms: number;
  /** Somebody said so: everything up to then is to happen, however long it takes. */
  readonly asked: boolean;
  /** All of it passes, even if nothing more is due before. */
  readonly wholly?: boolean;
}

export interface Passage {
  /** `later`: there is more to come, after the limit. `on and on`: instant after instant, and nobody asked for a limit. */
  readonly passed: "done" | "nothing more" | "later" | "on and on";
  readonly limit: number;
}

/** Turns of the event loop in which nothing happens, before the world is at rest: one more than a replay waits. */
const QUIET_TURNS = 3;
/** Whoever names no limit is told of a run that never ends: after so many instants, and so much real time. */
const MANY_INSTANTS = 300;
const LONG_MS = 3_000;

export class World {
  readonly clock: VirtualClock;
  readonly #options: WorldOptions;
  readonly #work = new Set<Work>();
  #activity = 0;
  #wakePatience: (() => void) | undefined;
  #mistake: Error | undefined;
  #passing: Promise<unknown> = Promise.resolve();

  constructor(options: WorldOptions) {
    this.#options = options;
    this.clock = new VirtualClock(options.startAt);
  }

  /** Something happened. */
  stir(): void {
    this.#activity += 1;
    this.#wakePatience?.();
  }

  begin(): Work {
    const work: Work = { running: 0, sleeping: 0, hangs: false };
    this.#work.add(work);
    this.stir();
    return work;
  }

  end(work: Work): void {
    this.#work.delete(work);
    this.stir();
  }

  /** The test itself is wrong, or Aiki is: whoever lets time pass next is told. The first one counts. */
  blame(mistake: unknown): void {
    this.#mistake ??= mistake instanceof Error ? mistake : new Error(String(mistake));
    this.stir();
  }

  /** Throws what was blamed. */
  check(): void {
    if (this.#mistake) throw this.#mistake;
  }

  /** Lets happen what needs no time, without waiting for user code that waits for something real. */
  async calm(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const before = this.#activity;
      await turn();
      if (this.#activity !== before) quiet = -1;
    }
  }

  /** Lets time pass until `done`, for as long as it may and something comes by itself. One caller after the other. */
  pass(span: Span, done: () => boolean | Promise<boolean>): Promise<Passage> {
    const passage = this.#passing.then(async () => {
      const limit = this.clock.now + span.ms;
      const passed = await this.#pass(limit, span, done);
      if (span.wholly && passed !== "done") this.clock.moveTo(limit);
      return { passed, limit };
    });
    this.#passing = passage.catch(() => {});
    return passage;
  }

  async #pass(limit: number, { asked }: Span, done: () => boolean | Promise<boolean>): Promise<Passage["passed"]> {
    const { clock } = this;
    const { nextDueAt, wake } = this.#options;
    const startedAt = realMs();
    for (let instants = 0; ; instants++) {
      await this.#present();
      this.check();
      if (await done()) return "done";
      if (!asked && instants > MANY_INSTANTS && realMs() - startedAt > LONG_MS) return "on and on";
      const dueAt = (await nextDueAt()) ?? Number.POSITIVE_INFINITY;
      const at = Math.min(dueAt, clock.nextAt ?? Number.POSITIVE_INFINITY);
      if (at === Number.POSITIVE_INFINITY) return "nothing more";
      if (at > limit) return "later";
      clock.moveTo(at);
      clock.fireDue();
      if (dueAt <= at) wake();
    }
  }

  /** Lets happen all that needs no virtual time. */
  async #present(): Promise<void> {
    for (;;) {
      await this.calm();
      const busy = [...this.#work].filter(holdsTheClock);
      if (busy.length === 0) return;
      if (await this.#stirs(this.#options.patienceMs)) continue;
      for (const work of busy) work.hangs = true;
    }
  }

  /** False when nothing has happened for so long. */
  #stirs(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const answer = (stirred: boolean): void => {
        this.#wakePatience = undefined;
        stop();
        resolve(stirred);
      };
      const stop = afterRealMs(ms, () => answer(false));
      this.#wakePatience = () => answer(true);
    });
  }
}

function holdsTheClock({ running, sleeping, hangs }: Work): boolean {
  return !hangs && !(running > 0 && running === sleeping);
}
