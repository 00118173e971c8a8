/**
 * A checkpoint: what an invocation has done so far is written while it goes on. The same decision and the same commit as
 * for an answer, except that the run is never let go.
 */
import type { CheckpointAnswer, CheckpointBody, Command, HistoryRecord } from "@aikirun/protocol";
import { endsAttempt } from "../core/commands.js";
import { type Decision, decide } from "../core/decide.js";
import type { Hold } from "./hold.js";

export type CheckpointOutcome =
  | ({ readonly type: "recorded" } & CheckpointAnswer)
  /** Another push, another generation or another sequence: nothing was written, and the invocation is to stop. */
  | { readonly type: "stale" }
  /** Nothing was written, and the invocation is to end with an answer. */
  | { readonly type: "refused"; readonly message: string };

export const STALE: CheckpointOutcome = { type: "stale" };

/** Mail that comes while mail is being written is left, after this many times, for whatever is written next. */
const MOST_COMMITS = 8;

export async function recordCheckpoint(
  hold: Hold,
  { seq, commands }: Pick<CheckpointBody, "seq" | "commands">,
): Promise<CheckpointOutcome> {
  const { shared } = hold;
  // An earlier checkpoint of this push was written by another process.
  if (hold.state.fence.seq < seq && (await hold.reload()) !== "again") return STALE;
  if (hold.state.fence.seq !== seq) return STALE;
  const ending = commands.find(endsAttempt);
  if (ending) return { type: "refused", message: `${ending.type} belongs into the answer, not into a checkpoint.` };
  const from = hold.state.records.length;
  let answer: { state: "more"; commands: Command[] } | undefined = { state: "more", commands };
  let cancelling = false;
  for (let commits = 0; answer || (hold.mail.length > 0 && (cancelling || commits < MOST_COMMITS)); commits++) {
    const now = shared.store.now();
    const decision = decide(hold.state, { answer, mail: hold.mail, now, suspended: false, ...hold.limits() });
    if ("code" in decision) return { type: "refused", message: decision.message };
    // Such a commit drops what the invocation has done, so that this must come to the run's end.
    cancelling = decision.next.type === "tell";
    const written = await hold.record(goingOn(decision), undefined);
    if (written === "unread") continue;
    if (written === "fenced") return STALE;
    if (written !== "held")
      return written.type === "ended" ? { type: "recorded", seq, records: [], stop: "abandon" } : STALE;
    answer = undefined;
  }
  const { records, fence, paused } = hold.state;
  const news = records.slice(from).filter(isNews);
  // Whoever waits for the answer is another process, or nobody: it does not end with this one.
  const stop = paused || (shared.draining() && !hold.away);
  return { type: "recorded", seq: fence.seq, records: news, ...(stop && { stop: "answer" as const }) };
}

/** A pause takes effect with the answer that ends the invocation. */
function goingOn(decision: Decision): Decision {
  return decision.next.type === "park" ? { ...decision, next: { type: "push" } } : decision;
}

/** The invocation knows the outcomes of its own tasks, and they are what weighs. */
function isNews(record: HistoryRecord): boolean {
  return record.kind !== "task" || (record.value.state === "retrying" && record.value.due === true);
}
