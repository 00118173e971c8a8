/** What one process sees of its runs, on the way to the store: a host says when it is written down. */
import type { TerminalStatus } from "@aikirun/protocol";
import type { NotedPush } from "../core/run.js";
import type { PushStore } from "../store/port.js";
import type { Observer } from "./observer.js";
import { PushLog } from "./push-log.js";
import { Tally, type TallyStore } from "./tally.js";

export class Observation implements Observer {
  readonly #tally: Tally;
  readonly #pushes = new PushLog();

  /** `now` is the database's clock. */
  constructor(now: () => number) {
    this.#tally = new Tally(now);
  }

  started(ns: string, runs: number): void {
    this.#tally.started(ns, runs);
  }

  ended(ns: string, status: TerminalStatus): void {
    this.#tally.ended(ns, status);
  }

  firstPushed(ns: string, afterMs: number): void {
    this.#tally.firstPushed(ns, afterMs);
  }

  pushed(ns: string, endpointId: string, failed: boolean, durationMs: number): void {
    this.#tally.pushed(ns, endpointId, failed, durationMs);
  }

  noted(push: NotedPush): void {
    this.#pushes.add(push);
  }

  /** Both throw `StoreUnavailable`: what was not written waits for the next time. */
  flushPushes(store: Pick<PushStore, "notePushes">): Promise<void> {
    return this.#pushes.flush(store);
  }

  flushCounts(store: TallyStore): Promise<void> {
    return this.#tally.flush(store);
  }
}
