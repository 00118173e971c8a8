import type { Checks } from "./checks.js";
import type { Host } from "./host.js";

export interface ActivityOptions {
  readonly host: Host;
  readonly checks: Checks;
  /** Something waits to be looked at already. */
  readonly isAwaited: () => boolean;
  readonly isStopped: () => boolean;
}

/** Turns of the event loop without activity after which a handler is at rest. */
const QUIET_TURNS = 2;

/** Whether anything happens in an invocation: calls, results, ends. */
export class Activity {
  readonly #options: ActivityOptions;
  /** Grows with everything that happens. */
  #count = 0;
  /** How much had happened when nothing more did for a while. */
  #quietAt = -1;
  #wake: (() => void) | undefined;

  constructor(options: ActivityOptions) {
    this.#options = options;
  }

  happened(): void {
    this.#count++;
    this.#wake?.();
  }

  /** Resolves when anything happens. */
  happening(): Promise<void> {
    if (this.#options.isAwaited()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** Resolves when the handler has gone on as far as it does by itself: microtasks, and checks of schemas. */
  async drained(): Promise<void> {
    const { host, checks, isStopped } = this.#options;
    do {
      if (checks.pending && !isStopped()) await checks.idle();
      await new Promise<void>((resolve) => host.afterMicrotasks(resolve));
    } while (checks.pending && !isStopped());
  }

  /**
   * True once the event loop has turned twice with nothing happening; false as soon as something did. While a schema is
   * being checked the handler is not at rest, however long nothing happens.
   */
  async rested(): Promise<boolean> {
    const { host, checks } = this.#options;
    const before = this.#count;
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      await new Promise<void>((resolve) => host.afterTurn(resolve));
      if (this.#count !== before) return false;
    }
    if (!checks.pending) return true;
    await this.happening();
    return false;
  }

  /** True when nothing has happened for so long; false as soon as something did. */
  async quiet(ms: number): Promise<boolean> {
    const before = this.#count;
    if (before === this.#quietAt) return true;
    let stopTimer = (): void => {};
    const passed = new Promise<void>((resolve) => {
      stopTimer = this.#options.host.setTimer(ms, resolve);
    });
    await Promise.race([passed, this.happening()]);
    stopTimer();
    // Where the process was blocked meanwhile, input that it has not read yet may still make something happen.
    if (this.#count !== before || !(await this.rested())) return false;
    this.#quietAt = before;
    return true;
  }
}
