/** How the holding of a run ends in one process. */
import type { Instant } from "../core/clock.js";

export type Outcome =
  /** `dueAt` null: a message wakes it. */
  | { readonly type: "parked"; readonly dueAt: number | null }
  | { readonly type: "ended" }
  | { readonly type: "released" }
  /** A worker has it; whatever process its answer comes to goes on. */
  | { readonly type: "handed"; readonly pushId: string }
  /** An endpoint goes on with it and brings its answer later, to whatever process. */
  | { readonly type: "background" }
  /** Somebody else holds it, or will once the lease has run out. */
  | { readonly type: "lost" };

export const LOST: Outcome = { type: "lost" };
export const ENDED: Outcome = { type: "ended" };
export const BACKGROUND: Outcome = { type: "background" };

/**
 * The lease of a run that is in nobody's memory here: no process watches over its time, so the lease ends with it, and
 * whoever claims the run then ends it.
 */
export function leaseWithin(leaseMs: number, timeoutAt: number | undefined, { earliest }: Instant): number {
  if (timeoutAt === undefined) return leaseMs;
  return Math.min(leaseMs, Math.max(1, Math.ceil(timeoutAt - earliest) + 1));
}
