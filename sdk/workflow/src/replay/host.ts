/** The one door through which time, chance and the event loop come into a replay. */
export interface Host {
  /** Milliseconds since the Unix epoch; for timings that people read, never for a decision. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  /** Calls back once every microtask that is queued, and every one that those queue, has run. */
  afterMicrotasks(callback: () => void): void;
  /** Calls back in a later turn of the event loop, after input and output that is ready now. */
  afterTurn(callback: () => void): void;
  /** Calls back once, not before `ms` have passed; the function returned prevents it. */
  setTimer(ms: number, callback: () => void): () => void;
}
