/** How long one invocation may work, and the signal that says when its time is nearly up. */
import { AikiError } from "@aikirun/protocol";

/** Kept back from the budget for the answer to be made and travel. */
const ANSWER_MS = 2_000;
/** The longest that a timer of JavaScript can wait. */
const TIMER_MS = 2 ** 31 - 1;

export interface Deadline {
  /** Aborts with `OUT_OF_TIME` when the time is nearly up, and as `gone` does when the caller has gone. */
  readonly signal: AbortSignal;
  clear(): void;
}

export function startDeadline(budgetMs: number, gone: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const workMs = Math.max(budgetMs - ANSWER_MS, budgetMs / 2);
  const timer = setTimeout(
    () => controller.abort(new AikiError("OUT_OF_TIME", `The host's time ran out: this invocation may last ${budgetMs} ms.`)),
    Math.min(workMs, TIMER_MS),
  );
  const leave = () => controller.abort(gone?.reason);
  if (gone?.aborted) leave();
  gone?.addEventListener("abort", leave);
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      gone?.removeEventListener("abort", leave);
    },
  };
}
