/** Long polls. The hub tells what this process commits; what others commit is seen by asking again. */
import type { WaitResult } from "@aikirun/protocol";
import { runNotFound } from "./mail.js";
import type { Services } from "./services.js";

/** How soon an end that another replica committed is seen: first soon, then less and less often. */
const REREAD_FIRST_MS = 250;
const REREAD_MOST_MS = 2_000;

const TERMINAL: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

export function hasEnded(status: string): boolean {
  return TERMINAL.has(status);
}

/** Answers when the run has ended, or as it is when the time is up or `signal` aborts. Throws `NOT_FOUND`. */
export async function waitForEnd(
  { store, dispatcher }: Services,
  ns: string,
  runId: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<WaitResult> {
  const until = performance.now() + timeoutMs;
  const bell = new Bell();
  // Before the first reading, so that an end right after it is not missed.
  const unsubscribe = dispatcher.hub.subscribe(ns, runId, (ended) => ended && bell.ring());
  const onAbort = () => bell.ring();
  signal.addEventListener("abort", onAbort);
  try {
    let rang = false;
    for (let pauseMs = REREAD_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, REREAD_MOST_MS)) {
      // Of a run that is held here the bell tells all there is to know: nothing is read until it has ended. It may still
      // be held when the bell has rung.
      while (!rang && !signal.aborted && performance.now() < until && dispatcher.holds(ns, runId)) {
        rang = await bell.wait(Math.min(REREAD_FIRST_MS, until - performance.now()));
      }
      const run = await store.getRun(ns, runId);
      if (!run) throw runNotFound(runId);
      if (hasEnded(run.status)) return { ended: true, run };
      const leftMs = until - performance.now();
      if (leftMs <= 0 || signal.aborted) return { ended: false, run };
      rang = await bell.wait(Math.min(pauseMs, leftMs));
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Something to wait at: a ring is kept until somebody has waited for it. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** True: it rang. */
  async wait(atMostMs: number): Promise<boolean> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, atMostMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const rang = this.#rung;
    this.#wake = undefined;
    this.#rung = false;
    return rang;
  }
}
