/** The end of a push, from when its answer is there until it is known whether that is written. */
import { timeOfId } from "@aikirun/protocol/canonical";
import type { Hold } from "./hold.js";

/** A push whose answer is being dealt with. */
export interface OpenPush {
  readonly id: string;
  readonly endpointId: string;
  /** The sequence that it went out under. */
  readonly seq: number;
  readonly durationMs: number;
  readonly delivery: number;
}

/** What an invocation brought that nobody here has waited for. Its id says when it began. */
export function broughtPush(hold: Hold, pushId: string, endpointId: string): OpenPush {
  const { state, shared, handed } = hold;
  const sent = handed?.request.pushId === pushId ? handed.request.fence.seq : state.fence.seq;
  const durationMs = Math.max(0, Math.round(shared.store.now().latest - timeOfId(pushId)));
  return { id: pushId, endpointId, seq: sent, durationMs, delivery: deliveryOf(hold) };
}

/** Which delivery in a row a push is. */
export function deliveryOf({ state }: Hold): number {
  return (state.trouble?.deliveries ?? 0) + 1;
}

/** What a commit remembers of it. */
export function markOf({ pushed, state }: Hold): { push?: OpenPush & { readonly checkpoints: number } } {
  return pushed ? { push: { ...pushed, checkpoints: state.fence.seq - pushed.seq } } : {};
}

/** No commit will remember it: it failed, or what it brought was written by its checkpoints (`failure` undefined). */
export function noteEnd(hold: Hold, failure?: { readonly code: string; readonly message: string }): void {
  const { push } = markOf(hold);
  hold.pushed = undefined;
  const { state, shared } = hold;
  const { ns, id: runId } = state.facts;
  const at = Math.round(shared.store.now().latest);
  if (push) shared.observer?.noted({ ns, runId, gen: state.fence.gen, at, push, ...failure });
}

/** Counts the first push of a run. */
export function noteFirst({ state, shared }: Hold): void {
  const { facts, fence, records, tries } = state;
  if (fence.seq > 0 || records.length > 0 || tries > 1) return;
  shared.observer?.firstPushed(facts.ns, Math.max(0, shared.store.now().latest - facts.timedFrom));
}
