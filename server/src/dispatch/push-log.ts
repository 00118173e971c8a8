/**
 * Pushes that no commit remembers, on their way to the store: collected, and written together. Losing one costs a line on
 * a page, so nothing waits for this, and there is a bound.
 */
import { LIMITS } from "@aikirun/protocol/canonical";
import type { NotedPush } from "../core/run.js";
import type { PushStore } from "../store/port.js";

/** Pushes that wait to be written; the oldest are forgotten first. */
const MOST_WAITING = 10_000;
const MOST_TOGETHER = 500;
/** Characters of what a failure said. */
const MESSAGE_CHARS = 1_000;

export class PushLog {
  #waiting: NotedPush[] = [];
  #writing: Promise<void> | undefined;

  add(push: NotedPush): void {
    const { message } = push;
    this.#waiting.push(message === undefined ? push : { ...push, message: message.slice(0, MESSAGE_CHARS) });
    if (this.#waiting.length > MOST_WAITING) this.#waiting = this.#waiting.slice(-MOST_WAITING / 2);
  }

  /** Writes what waits. Throws `StoreUnavailable`: it waits for the next time. */
  flush(store: Pick<PushStore, "notePushes">): Promise<void> {
    this.#writing ??= this.#write(store).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(store: Pick<PushStore, "notePushes">): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.slice(0, MOST_TOGETHER);
      this.#waiting = this.#waiting.slice(some.length);
      try {
        await store.notePushes(lastOfEach(some));
      } catch (error) {
        this.#waiting = [...some, ...this.#waiting];
        throw error;
      }
    }
  }
}

/** No more of one run than are kept of it. */
function lastOfEach(pushes: readonly NotedPush[]): NotedPush[] {
  const counts = new Map<string, number>();
  return pushes
    .toReversed()
    .filter(({ ns, runId }) => {
      const count = (counts.get(`${ns}/${runId}`) ?? 0) + 1;
      counts.set(`${ns}/${runId}`, count);
      return count <= LIMITS.keptPushes;
    })
    .reverse();
}
