/** The door through which time and chance come into dispatch: one for the real world, one for the simulation. */
import { newId } from "@aikirun/protocol";

export interface Timers {
  /** Milliseconds since some fixed point, never falling. Says nothing about any other clock. */
  monotonic(): number;
  /** Calls `run` once after at least `ms`. Returns what cancels it. */
  after(ms: number, run: () => void): () => void;
  /** Calls `run` once what is under way in this turn has been sent out. */
  soon(run: () => void): void;
  /** At least 0, below 1. */
  random(): number;
  newId(prefix: "push"): string;
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const realTimers: Timers = {
  monotonic: () => performance.now(),
  after(ms, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, Math.ceil(ms)), MAX_TIMEOUT_MS));
    return () => clearTimeout(handle);
  },
  soon: (run) => void (typeof setImmediate === "function" ? setImmediate(run) : setTimeout(run, 0)),
  random: () => Math.random(),
  newId: (prefix) => newId(prefix, Date.now(), randomBytes()),
};

/** Random bytes are drawn for many ids at once: a call for each would be the dearest part of a step. */
const ID_BYTES = 16;
const pool = new Uint8Array(256 * ID_BYTES);
let used = pool.length;

function randomBytes(): Uint8Array {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.subarray(used - ID_BYTES, used);
}

/** Resolves after `ms`. False when `signal` aborted first. */
export function pause(timers: Timers, ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = () => {
      cancel();
      resolve(false);
    };
    const cancel = timers.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve(true);
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
