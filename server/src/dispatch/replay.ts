/** Asks an endpoint whether one run in flight still fits its code: the run's input and history, and nothing is written. */
import {
  CHECKPOINT_HISTORY,
  type HistoryRecord,
  LIMITS,
  type ReplayAnswer,
  type ReplayRequest,
  replayAnswerSchema,
} from "@aikirun/protocol";
import { runAttemptOf } from "@aikirun/protocol/canonical";
import type { SampledRun, Store } from "../store/port.js";
import { badAnswer, ownRefusal, readAnswer } from "./answer.js";
import type { CheckpointTokens } from "./checkpoint-token.js";
import { pushedRun } from "./push-request.js";
import type { Refusal } from "./refusal.js";
import type { Post, PostTarget } from "./signed-post.js";
import { pause, type Timers } from "./timers.js";

export type Verdict =
  | { readonly type: "fits" }
  | { readonly type: "stops"; readonly answer: Extract<ReplayAnswer, { fits: false }> }
  /** Its input and history do not fit into one push, and there is no address where an endpoint could read them. */
  | { readonly type: "too_large" }
  | { readonly type: "unanswered"; readonly refusal: Refusal }
  /** The run is not there any more. */
  | { readonly type: "gone" };

export type Replay = (target: PostTarget, ns: string, run: SampledRun, signal: AbortSignal) => Promise<Verdict>;

export interface ReplayOptions {
  readonly store: Pick<Store, "readFacts" | "readHistory">;
  readonly post: Post;
  /** Absent: nobody outside knows how to reach this orchestrator. */
  readonly checkpoints?: CheckpointTokens | undefined;
  readonly timers: Timers;
  readonly epoch: number;
  /** Longest time of one replay; an endpoint gives up earlier by itself. */
  readonly timeoutMs: number;
}

const PAGE_RECORDS = 500;
/** How often an endpoint that says 429 or 503 is asked again, and the longest pause before that. */
const BUSY_ATTEMPTS = 5;
const BUSY_LEAST_MS = 250;
const BUSY_MOST_MS = 2_000;
/** A divergence of a hundred lines on either side, and what was thrown. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export function replayWith(options: ReplayOptions): Replay {
  const { timers } = options;
  return async (target, ns, run, signal) => {
    // Without records there is nothing that code could miss.
    if (run.records === 0) return { type: "fits" };
    const made = await requestFor(options, ns, run);
    if ("type" in made) return made;
    const { request, body } = made;
    for (let attempt = 1; ; attempt++) {
      const reading = await send(options, target, ns, request, body, signal);
      if (reading.type === "json") return verdictOf(target.url, reading.value);
      if (reading.type === "failed") return { type: "unanswered", refusal: reading.refusal };
      if (reading.type === "accepted") {
        return { type: "unanswered", refusal: badAnswer(target.url, "answered replay with 202") };
      }
      if (reading.type === "error") {
        return { type: "unanswered", refusal: ownRefusal(target.url, reading.status, reading.error) };
      }
      const waitMs = Math.min(Math.max(reading.retryAfterMs ?? 0, BUSY_LEAST_MS), BUSY_MOST_MS);
      if (attempt === BUSY_ATTEMPTS || !(await pause(timers, waitMs, signal))) {
        return { type: "unanswered", refusal: { code: "BUSY", message: reading.message } };
      }
    }
  };
}

/** Whether a run is likely to fit into one push, so that it is worth reading. */
export function isSendable(run: SampledRun): run is SampledRun & { readonly bytes: number } {
  return run.bytes !== undefined && run.bytes <= LIMITS.bodyBytes;
}

interface Asked {
  readonly request: ReplayRequest;
  readonly body: string;
}

/** As much of the history as there was when the run was chosen: a whole number of commits. */
async function requestFor(
  { store, timers, checkpoints, epoch, timeoutMs }: ReplayOptions,
  ns: string,
  run: SampledRun,
): Promise<Asked | Extract<Verdict, { type: "gone" | "too_large" }>> {
  const facts = await store.readFacts(ns, run.id);
  if (!facts) return { type: "gone" };
  const pushId = timers.newId("push");
  const asked = (runAttempt: number, history: ReplayRequest["history"]): Asked | undefined => {
    const request: ReplayRequest = { type: "replay", pushId, run: pushedRun(facts, runAttempt), history };
    const body = JSON.stringify(request);
    return new TextEncoder().encode(body).byteLength <= LIMITS.bodyBytes ? { request, body } : undefined;
  };
  if (isSendable(run)) {
    const records = await readRecords(store, ns, run);
    if (!records) return { type: "gone" };
    const whole = asked(runAttemptOf(records), { records });
    if (whole) return whole;
  }
  // Of a generation that no run has: the token reads, and records nothing.
  const place = { ns, runId: run.id, pushId, fence: { epoch, gen: 0 } };
  const access = checkpoints?.access(place, timeoutMs);
  const elsewhere = access && { url: access.url + CHECKPOINT_HISTORY, token: access.token, upTo: run.records };
  return (elsewhere && asked(1, elsewhere)) ?? { type: "too_large" };
}

async function readRecords(
  store: ReplayOptions["store"],
  ns: string,
  run: SampledRun,
): Promise<HistoryRecord[] | undefined> {
  const records: HistoryRecord[] = [];
  while (records.length < run.records) {
    const limit = Math.min(PAGE_RECORDS, run.records - records.length);
    const page = await store.readHistory(ns, run.id, records.length, limit, LIMITS.historyBytes);
    if (!page || page.records.length === 0) return undefined;
    for (const { at: _, ...record } of page.records) records.push(record as HistoryRecord);
  }
  return records;
}

async function send(
  { post, epoch, timeoutMs }: ReplayOptions,
  target: PostTarget,
  ns: string,
  request: ReplayRequest,
  body: string,
  signal: AbortSignal,
) {
  const { pushId, run } = request;
  const message = { ns, subject: run.id, pushId, fence: { epoch, gen: 0, seq: 0 }, body };
  const limits = { totalMs: timeoutMs, maxAnswerBytes: MAX_ANSWER_BYTES, signal };
  return readAnswer(target.url, await post.send(target, { ...message, ...limits }, post.sign(target, message)));
}

function verdictOf(url: string, value: unknown): Verdict {
  const answer = replayAnswerSchema.safeParse(value);
  if (!answer.success) {
    const at = answer.error.issues[0]?.path.join(".") || "the body";
    return { type: "unanswered", refusal: badAnswer(url, `answered replay with something else (at ${at})`) };
  }
  return answer.data.fits ? { type: "fits" } : { type: "stops", answer: answer.data };
}
