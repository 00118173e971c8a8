/**
 * Advances one held run: decide, commit, push, decide, commit, … until it is parked or ended, or somebody else's.
 * A step costs one HTTP exchange and one statement; the state stays in memory in between.
 */
import type { ExecuteAnswer, ExecuteRequest, HeldPush } from "@aikirun/protocol";
import { decide } from "../core/decide.js";
import type { DeliveryOutcome, Route } from "./delivery.js";
import { codeOf, type Failure, judge, triedTooOften, unservedMessage } from "./failure.js";
import type { Hold, Sent } from "./hold.js";
import { ENDED, LOST, type Outcome } from "./outcome.js";
import { deliveryOf, noteEnd, noteFirst } from "./push-end.js";
import { pause } from "./timers.js";

/** `suspended`: the run was parked by a `waiting` answer, so that without news nothing is pushed. */
export function advance(hold: Hold, suspended: boolean): Promise<Outcome> {
  return goOn(hold, undefined, suspended);
}

/** Goes on from what came back for a push that nobody here waited for. `sent` is that push, where it is known. */
export async function advanceFrom(hold: Hold, sent: Sent | undefined, outcome: DeliveryOutcome): Promise<Outcome> {
  const settled = await settle(hold, await accept(hold, sent, outcome));
  const next = settled === "held" ? await push(hold) : settled;
  if (next !== "again" && "type" in next) return next;
  return goOn(hold, next === "again" ? undefined : next, false);
}

async function goOn(hold: Hold, from: ExecuteAnswer | undefined, suspended: boolean): Promise<Outcome> {
  let answer = from;
  let idle = suspended;
  for (;;) {
    const { state, mail, shared } = hold;
    const now = shared.store.now();
    const decision = decide(state, { answer, mail, now, suspended: idle, ...hold.limits() });
    let pushed: ExecuteAnswer | "again" | Outcome;
    if ("code" in decision) {
      pushed = await recover(hold, { type: "failed", reach: "refused", ...decision });
    } else {
      if (decision.writes) {
        // Whoever requeues a run means it to start afresh.
        const over = answer || decision.next.type === "end" || (state.stalled && !decision.stalled);
        const trouble = over ? undefined : state.trouble;
        const written = await hold.write(decision, trouble);
        if (written === "unread") continue;
        if (typeof written === "object") return written;
        if (decision.next.type === "tell" && written === "held") continue;
        idle = false;
        answer = undefined;
        if (written === "again" || hold.mail.length > 0) continue;
      }
      pushed = await push(hold);
    }
    if (pushed !== "again" && "type" in pushed) return pushed;
    answer = pushed === "again" ? undefined : pushed;
    idle = false;
  }
}

/** Pushes until there is an answer on top of the state that is held. */
async function push(hold: Hold): Promise<ExecuteAnswer | "again" | Outcome> {
  const { shared } = hold;
  hold.goesOn?.();
  for (;;) {
    // By a checkpoint of a push whose answer said nothing of it.
    if (hold.hasEnded) return ENDED;
    if (shared.draining()) return hold.release();
    // A checkpoint of a push that then failed has read the pause.
    if (hold.state.paused) return "again";
    const { facts, tries, trouble } = hold.state;
    const now = shared.store.now().latest;
    if (tries > shared.settings.maxTries) {
      return hold.park("stalled", null, triedTooOften(tries, trouble, now));
    }
    const seat = hold.takeSeat();
    if (seat) {
      const handed = await hold.handOver(seat);
      if (handed === "gone") continue;
      return handed;
    }
    const route = shared.delivery.route(facts);
    const delivered = route
      ? await deliver(hold, route)
      : ({ type: "not_served", message: unservedMessage(facts, shared) } as const);
    const settled = await settle(hold, delivered);
    if (settled !== "held") return settled;
  }
}

/** What a delivery brought, unless it is to be made again (`held`). */
async function settle(hold: Hold, delivered: Delivered): Promise<ExecuteAnswer | "held" | "again" | Outcome> {
  if (delivered === "again" || "runId" in delivered || isOutcome(delivered)) return delivered;
  if (delivered.type !== "history_needed" && delivered.type !== "too_large") return recover(hold, delivered);
  noteEnd(hold, UNREAD[delivered.type]);
  return "held";
}

const UNREAD = {
  history_needed: {
    code: "HISTORY_NEEDED",
    message: "The endpoint no longer had the part of the history that was left out.",
  },
  too_large: {
    code: "PAYLOAD_TOO_LARGE",
    message: "The endpoint takes no body of this size; it is sent a smaller one.",
  },
};

type Delivered =
  | ExecuteAnswer
  | Extract<DeliveryOutcome, { type: "history_needed" | "too_large" }>
  | Failure
  | "again"
  | Outcome;

function isOutcome(delivered: Exclude<Delivered, ExecuteAnswer | "again">): delivered is Outcome {
  const { type } = delivered;
  return OUTCOMES.has(type);
}

const OUTCOMES: ReadonlySet<string> = new Set<Outcome["type"]>([
  "parked",
  "ended",
  "released",
  "handed",
  "background",
  "lost",
]);

/** One push, under a lease that is kept meanwhile. */
async function deliver(hold: Hold, route: Route): Promise<Delivered> {
  const { shared, state } = hold;
  const { settings, timers, load } = shared;
  if (!load.enter(route, settings.maxWaiting)) {
    const dueAt = Math.ceil(shared.store.now().latest + settings.unservedMs * (1 - timers.random() / 2));
    return hold.park("queued", dueAt, state.trouble);
  }
  const request = hold.nextPush(route);
  hold.open(request.pushId);
  noteFirst(hold);
  const delivery = deliveryOf(hold);
  let begunAt = timers.monotonic();
  const begins = () => {
    begunAt = timers.monotonic();
  };
  const result = await hold
    .whileHeld((signal) => shared.delivery.deliver(route, state.facts.ns, request, signal, begins))
    .finally(() => load.leave(route));
  const promised = typeof result === "object" && result.done.type === "callback" ? result.done.promise : undefined;
  if (promised && isFor(promised, hold)) return hold.leave(promised.deadlineMs);
  await hold.close();
  const durationMs = Math.round(timers.monotonic() - begunAt);
  const { endpointId } = route;
  hold.pushed = { id: request.pushId, endpointId, seq: request.fence.seq, durationMs, delivery };
  if (typeof result === "string") noteEnd(hold, result === "ended" ? undefined : CALLED_OFF);
  if (result === "ended") return ENDED;
  if (result === "lost") return LOST;
  if (result === "stop") return hold.release();
  // What was aborted may still run: its successor needs a generation of its own, and the cancel, or the time, is read.
  if (result === "cancel") return hold.retake();
  return accept(hold, { endpointId, request }, result.done);
}

const CALLED_OFF = { code: "ABORTED", message: "The push was called off before its answer came." };

async function accept(hold: Hold, sent: Sent | undefined, outcome: DeliveryOutcome): Promise<Delivered> {
  const { warm } = hold.shared;
  const runId = hold.state.facts.id;
  if (outcome.type === "history_needed") {
    warm.missed(runId);
    if (!sent || sent.request.history.after) return outcome;
    const message = "The endpoint asked for the whole history in answer to the whole history.";
    return { type: "failed", reach: "refused", code: "BAD_ANSWER", message };
  }
  if (outcome.type === "callback") return OF_ANOTHER_PUSH;
  if (outcome.type !== "answer") return outcome;
  const { answer } = outcome;
  const { fence } = hold.state;
  if ((sent && answer.pushId !== sent.request.pushId) || !isFor(answer, hold)) return OF_ANOTHER_PUSH;
  if (answer.keeps && sent) {
    const { head, after } = sent.request.history;
    warm.keeps(runId, sent.endpointId, head, after !== undefined);
  } else warm.forget(runId);
  if (answer.seq > fence.seq) {
    // It builds on a checkpoint that another process has written.
    const reloaded = await hold.reload();
    if (reloaded !== "again") return reloaded;
  }
  const spent = isSpent(answer, sent?.request);
  if (answer.seq === hold.state.fence.seq && spent === false) return answer;
  noteEnd(hold);
  if (answer.seq === hold.state.fence.seq && spent === true) return "again";
  // What is written counts: it repeats a checkpoint that was written and never acknowledged, or it brings nothing, and
  // only who handed the push out knows whether its checkpoints did.
  const refenced = await hold.refence();
  return refenced === "held" ? "again" : refenced;
}

function isFor({ runId, epoch, gen }: HeldPush, { state: { facts, fence } }: Hold): boolean {
  return runId === facts.id && epoch === fence.epoch && gen === fence.gen;
}

const OF_ANOTHER_PUSH: Failure = {
  type: "failed",
  reach: "lost",
  code: "BAD_ANSWER",
  message: "The answer is for another push.",
};

/** Its checkpoints have recorded all that it did, and what comes next needs another push: there is nothing to write. */
function isSpent({ state, commands, seq }: ExecuteAnswer, pushed: ExecuteRequest | undefined): boolean | "perhaps" {
  if (state !== "more" || commands.length > 0) return false;
  return pushed ? seq > pushed.fence.seq : "perhaps";
}

/**
 * After a failed delivery: waits, or lets the run go. `again` and not simply another push: a checkpoint of the invocation
 * that failed may have written a pause.
 */
async function recover(hold: Hold, failure: Failure): Promise<"again" | Outcome> {
  const { shared } = hold;
  const { settings, timers } = shared;
  const now = shared.store.now().latest;
  const verdict = judge(failure, { before: hold.state.trouble, at: now, random: timers.random(), settings });
  const { trouble } = verdict;
  noteEnd(hold, { code: codeOf(failure), message: failure.message });
  hold.state.trouble = trouble;
  if (verdict.type === "stalled") return hold.park("stalled", null, trouble);
  if (verdict.type === "unserved" || verdict.delayMs > settings.holdMs) {
    return hold.park("queued", Math.ceil(now + verdict.delayMs), trouble);
  }
  const waited = await hold.whileHeld((signal) => pause(timers, verdict.delayMs, signal));
  if (waited === "lost") return LOST;
  if (waited === "stop") return hold.release();
  if (waited === "cancel") return hold.retake();
  // What was brought has an end, and a lease up to the callback's deadline none.
  const refenced = verdict.refenced || hold.retakes ? await hold.refence() : "held";
  return refenced === "held" ? "again" : refenced;
}
