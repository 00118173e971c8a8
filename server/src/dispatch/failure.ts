/** What a delivery that brought nothing means for its run: how long to wait, and when to stop trying. Pure. */
import type { RunFacts, Trouble } from "../core/run.js";
import type { Delivery, DeliveryOutcome } from "./delivery.js";
import type { Desk } from "./desk.js";
import type { DispatchSettings } from "./settings.js";

export type Failure = Exclude<
  DeliveryOutcome,
  { type: "answer" } | { type: "callback" } | { type: "history_needed" } | { type: "too_large" }
>;

export type Verdict =
  /** Push again after this long; `refenced` under a new generation, because something may still run. */
  | { readonly type: "again"; readonly delayMs: number; readonly refenced: boolean; readonly trouble: Trouble }
  /** Park until an endpoint serves it or this long has passed. */
  | { readonly type: "unserved"; readonly delayMs: number; readonly trouble: Trouble }
  | { readonly type: "stalled"; readonly trouble: Trouble };

export interface Circumstances {
  readonly before: Trouble | undefined;
  readonly at: number;
  /** At least 0, below 1. */
  readonly random: number;
  readonly settings: DispatchSettings;
}

export function judge(failure: Failure, { before, at, random, settings }: Circumstances): Verdict {
  switch (failure.type) {
    case "diverged": {
      const { message, divergence } = failure;
      return { type: "stalled", trouble: { code: "NON_DETERMINISM", message, at, deliveries: 1, divergence } };
    }
    case "not_served": {
      const since = before?.code === "WORKFLOW_NOT_SERVED" ? (before.since ?? at) : at;
      const trouble = { code: "WORKFLOW_NOT_SERVED", message: failure.message, at, deliveries: 0, since };
      // Whoever comes to serve it fetches it. This look is for news that got lost, and thousands may wait for one worker.
      const delayMs = Math.min(Math.max(settings.unservedMs, at - since), settings.unservedMostMs);
      return { type: "unserved", delayMs: lowered(delayMs, random), trouble };
    }
    case "busy": {
      const trouble = count(before, { code: "BUSY", message: failure.message }, at);
      if (at - (trouble.since ?? at) >= settings.undeliveredMs) return exhausted(trouble);
      const asked = Math.min(Math.max(0, failure.retryAfterMs), settings.busyMostMs);
      const delayMs = Math.max(asked, backoff(trouble.deliveries, random, settings));
      return { type: "again", delayMs, refenced: false, trouble };
    }
    case "failed": {
      const trouble = count(before, failure, at);
      const gaveUp =
        (trouble.timeouts ?? 0) >= settings.maxTimeouts ||
        (trouble.lost ?? 0) >= settings.maxLost ||
        at - (trouble.since ?? at) >= settings.undeliveredMs;
      if (gaveUp) return exhausted(trouble);
      return { type: "again", delayMs: backoff(trouble.deliveries, random, settings), refenced: true, trouble };
    }
  }
}

function count(
  before: Trouble | undefined,
  failure: { readonly code: string; readonly message: string; readonly reach?: "refused" | "lost" | "timeout" },
  at: number,
): Trouble {
  // A run that waited for an endpoint was not delivered in vain.
  const earlier = before && before.deliveries > 0 ? before : undefined;
  const lost = (earlier?.lost ?? 0) + (failure.reach === "lost" ? 1 : 0);
  const timeouts = failure.reach === "timeout" ? (earlier?.timeouts ?? 0) + 1 : 0;
  return {
    code: failure.code,
    message: failure.message,
    at,
    deliveries: (earlier?.deliveries ?? 0) + 1,
    since: earlier?.since ?? at,
    ...(lost > 0 ? { lost } : {}),
    ...(timeouts > 0 ? { timeouts } : {}),
  };
}

function exhausted(trouble: Trouble): Verdict {
  const message =
    `${trouble.deliveries} deliveries in a row brought nothing; the last one: ${trouble.code}: ${trouble.message} ` +
    "Nothing more is sent until somebody requeues the run.";
  return { type: "stalled", trouble: { ...trouble, code: "DELIVERY_EXHAUSTED", message } };
}

/** A run that was taken again and again and never let go: whatever pushes it may die of it. */
export function triedTooOften(tries: number, before: Trouble | undefined, at: number): Trouble {
  const last = before ? ` The last failure: ${before.code}: ${before.message}` : "";
  return {
    code: "DELIVERY_EXHAUSTED",
    message: `The run was taken up ${tries} times without getting further.${last} Requeue it once the cause is gone.`,
    at,
    deliveries: before?.deliveries ?? 0,
  };
}

function backoff(deliveries: number, random: number, settings: DispatchSettings): number {
  const doubled = settings.retryBaseMs * 2 ** Math.min(deliveries - 1, 30);
  return lowered(Math.min(doubled, settings.retryMostMs), random);
}

function lowered(ms: number, random: number): number {
  return Math.round(ms * (1 - random / 2));
}

/** Text for a run whose version nobody serves: what is served instead, and what to do. */
export function unservedMessage(facts: RunFacts, { delivery, desk }: { delivery: Delivery; desk: Desk }): string {
  const subject = `${facts.workflow}@${facts.version}`;
  const ofPool = facts.pool === undefined ? "" : ` of pool ${facts.pool}`;
  if (desk.polledLately(facts)) return `Every worker${ofPool} that serves ${subject} is busy. The run waits for one.`;
  if (facts.pool !== undefined) {
    return (
      `No worker${ofPool} serves ${subject}, and a run with a pool goes to no endpoint. ` +
      `Start one: worker({ workflows: [...], pools: [${JSON.stringify(facts.pool)}] }). The run waits.`
    );
  }
  const served = (delivery.served?.(facts.ns) ?? []).filter((other) => other.workflow === facts.workflow).slice(0, 10);
  const list = served.map((other) => `${other.workflow}@${other.version} (${other.url})`);
  const instead = served.length > 0 ? ` Served: ${list.join(", ")}.` : "";
  return (
    `Nobody serves ${subject}.${instead} Add it to serveAiki([...]) and deploy, start a worker that has it, ` +
    `or ask its endpoint again: aiki endpoints refresh ${served[0]?.url ?? "NAME"}. The run waits.`
  );
}
