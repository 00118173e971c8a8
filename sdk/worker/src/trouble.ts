/** What stands between a worker and its orchestrator: told once for each kind, waited out. */
import { AikiError } from "@aikirun/protocol/canonical";
import type { Logger } from "@aikirun/workflow";

const FIRST_WAIT_MS = 250;
const MOST_WAIT_MS = 5_000;

export class Trouble {
  readonly #logger: Logger;
  readonly #url: string;
  #code: string | undefined;
  #waitMs = FIRST_WAIT_MS;

  constructor(logger: Logger, url: string) {
    this.#logger = logger;
    this.#url = url;
  }

  tell(error: unknown): void {
    const code = codeOf(error);
    if (code === this.#code) return;
    this.#code = code;
    const message = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ code }, `The worker cannot get work from ${this.#url} just now, and keeps trying. ${message}`);
  }

  /** Resolves when it is time to try again, or `signal` aborts. */
  async met(error: unknown, signal: AbortSignal): Promise<void> {
    this.tell(error);
    const waitMs = Math.round(this.#waitMs * (1 - Math.random() / 2));
    this.#waitMs = Math.min(2 * this.#waitMs, MOST_WAIT_MS);
    await pause(waitMs, signal);
  }

  over(): void {
    this.#waitMs = FIRST_WAIT_MS;
    if (this.#code === undefined) return;
    this.#code = undefined;
    this.#logger.info(`The worker gets work from ${this.#url} again.`);
  }
}

export function codeOf(error: unknown): string {
  return error instanceof AikiError ? error.code : "BAD_RESPONSE";
}

/** Resolves after `ms`, or when `signal` aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener("abort", over, { once: true });
    if (signal?.aborted) over();
  });
}
