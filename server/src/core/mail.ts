/** What came from outside, applied in the order in which it was accepted. */
import { childOfWait } from "@aikirun/protocol/canonical";
import { type Draft, RUN_KEY } from "./draft.js";
import type { Mail } from "./run.js";

/** Reads the messages; before each one, what came due until it was accepted is settled. */
export function readMail(mail: readonly Mail[], draft: Draft): void {
  for (const message of mail) {
    draft.fire(Math.min(message.acceptedAt, draft.now.earliest));
    if (draft.cancelled) return;
    readMessage(message, draft);
  }
}

function readMessage(message: Mail, draft: Draft): void {
  const { body } = message;
  switch (body.kind) {
    case "event":
      draft.queued.push(message);
      return draft.deliverEvents();
    case "child":
      return childEnded(body, draft);
    case "cancel":
      draft.cancelled = { reason: body.reason };
      return;
    case "pause":
      draft.paused = true;
      return;
    case "resume":
      if (draft.paused) draft.news = true;
      draft.paused = false;
      return;
    case "requeue":
      if (draft.stalled) draft.news = true;
      draft.stalled = false;
      return;
    case "wakeup":
      return wakeUp(message.acceptedAt, draft);
    case "retry":
      // Its record was written with the message.
      return;
  }
}

/** A cancel that comes after a decision to end is all that still matters then. */
export function findCancel(mail: readonly Mail[]): { readonly reason: string | undefined } | undefined {
  for (const { body } of mail) if (body.kind === "cancel") return { reason: body.reason };
  return undefined;
}

/** Of what a run that fails has not read, what a retry of it needs: whoever sent it sends it once. */
export function keepForRetry(mail: readonly Mail[], draft: Draft): void {
  for (const message of mail) {
    if (message.body.kind === "event") draft.queued.push(message);
    else if (message.body.kind === "child") childEnded(message.body, draft);
  }
}

function childEnded(body: Extract<Mail["body"], { kind: "child" }>, draft: Draft): void {
  const entry = draft.entry(body.key);
  if (entry?.kind !== "child" || entry.value.state !== "started") return;
  draft.put({
    kind: "child",
    key: body.key,
    value: {
      state: "ended",
      runId: entry.value.runId,
      status: body.status,
      ...(body.output === undefined ? {} : { output: body.output }),
      ...(body.error === undefined ? {} : { error: body.error }),
    },
  });
  const open = [...draft.openEntries()];
  const waits = open.filter(({ kind, key }) => kind === "wait" && childOfWait(key) === body.key);
  // A child whose end nobody waits for, or no longer, is no reason for a push; unless nothing else is left to wait for.
  if (waits.length > 0 || open.length === 0) draft.news = true;
  for (const wait of waits.sort((a, b) => a.n - b.n)) {
    draft.put({ kind: "wait", key: wait.key, value: { state: "ended" } });
  }
}

/** Ends the sleeps that are open, and the wait for the start of a run that was to start later. Nothing else is woken. */
function wakeUp(at: number, draft: Draft): void {
  if (draft.startAt !== undefined) draft.put({ kind: "run", key: RUN_KEY, value: { state: "woken", at } });
  draft.begin();
  const sleeping = [...draft.openEntries()].filter((entry) => entry.kind === "sleep").sort((a, b) => a.n - b.n);
  for (const entry of sleeping) {
    draft.put({ kind: "sleep", key: entry.key, value: { state: "cancelled" } });
    draft.news = true;
  }
}
