/**
 * Counts the pushes of one isolate to one endpoint, for objects that must not wait for each other's promises: who finds
 * no slot looks again after a while. The same increase and decrease as `Slots`.
 */
import type { LiveEndpoint } from "../../dispatch/live-endpoint.js";

const FIRST_LOOK_MS = 10;
/** Unless so many wait that each has to look less often. */
const LONGEST_LOOK_MS = 250;
/** All who wait look this often together, however many they are. */
const LOOKS_PER_MS = 1;

export function isolateSlots(most: number): LiveEndpoint["slots"] {
  let limit = most;
  let used = 0;
  let waiting = 0;
  const slots: LiveEndpoint["slots"] = {
    get limit() {
      return Math.floor(limit);
    },
    acquire(signal) {
      if (used < slots.limit) {
        used += 1;
        return undefined;
      }
      return (async () => {
        waiting += 1;
        try {
          for (let lookMs = FIRST_LOOK_MS; !signal.aborted; lookMs = Math.min(2 * lookMs, LONGEST_LOOK_MS)) {
            const ms = Math.max(lookMs, waiting / LOOKS_PER_MS);
            await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random())));
            if (signal.aborted) return false;
            if (used >= slots.limit) continue;
            used += 1;
            return true;
          }
          return false;
        } finally {
          waiting -= 1;
        }
      })();
    },
    release(outcome) {
      used = Math.max(0, used - 1);
      if (outcome === "busy") limit = Math.max(1, limit / 2);
      if (outcome === "ok") limit = Math.min(most, limit + 1 / limit);
    },
  };
  return slots;
}
