/** Endpoints are examined in one place: who doubts one tells the clock's object, once a second at most. */
import type { Doubt } from "../../dispatch/push.js";
import type { Bindings } from "./bindings.js";
import type { Isolate } from "./isolate.js";
import { clockObject } from "./objects.js";

const PAUSE_MS = 1_000;

export function doubtTeller(
  env: Bindings,
  { doubted }: Isolate,
  defer: (work: Promise<unknown>) => void,
): (endpointId: string, reason: Doubt) => void {
  return (endpointId, reason) => {
    const now = performance.now();
    const key = `${endpointId} ${reason}`;
    if (now - (doubted.get(key) ?? Number.NEGATIVE_INFINITY) < PAUSE_MS) return;
    doubted.set(key, now);
    // What goes unheard is said again by the next push.
    defer(
      clockObject(env)
        .doubt(endpointId, reason)
        .catch(() => {}),
    );
  };
}
