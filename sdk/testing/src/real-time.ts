/** The real event loop, as it was before a test replaced its timers. */
import { defaultHost } from "@aikirun/workflow/replay";

const { setTimeout, clearTimeout, queueMicrotask } = globalThis;
const now = performance.now.bind(performance);

/** Milliseconds since some fixed point. */
export const realMs = (): number => now();

/** Calls back once the code that runs now has come to its end. */
export const soon = (callback: () => void): void => queueMicrotask(callback);

/** Calls back after `ms` of real time. Returns what prevents it. */
export function afterRealMs(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

/** Resolves in a later turn of the event loop: every microtask has run, and input that is ready has been read. */
export function turn(): Promise<void> {
  return new Promise((resolve) => defaultHost.afterTurn(resolve));
}
