/**
 * Tries new code on the runs in flight before traffic moves to it: a sample of them is replayed against it, within
 * bounds of time, of requests under way and of bytes in memory. Nothing is written, and no task runs.
 */
import type { CheckResult, Manifest } from "@aikirun/protocol";
import type { SampledRun, Store } from "../store/port.js";
import { findingsOf, isHarmless, type Judged, sorted, unservedFinding } from "./findings.js";
import { shownUrl } from "./refusal.js";
import { isSendable, type Replay, type Verdict } from "./replay.js";
import type { PostTarget } from "./signed-post.js";
import type { Timers } from "./timers.js";

export interface NewCode {
  readonly target: PostTarget;
  readonly manifest: Manifest;
  /** Replays under way at once, at most. */
  readonly concurrency: number;
  /** The endpoint that this code is to replace, and the versions that it serves now. */
  readonly replaces: { readonly name: string; readonly owns: readonly Version[] } | undefined;
}

export type Check = (ns: string, code: NewCode, sample: number, signal: AbortSignal) => Promise<CheckResult>;

export interface CheckOptions {
  readonly store: Pick<Store, "countLive" | "sampleLive">;
  readonly replay: Replay;
  readonly timers: Timers;
  /** Time for all replays of one check. What has no verdict by then is reported as not checked. */
  readonly timeoutMs: number;
}

const MOST_AT_ONCE = 100;
/** History held in memory for replays under way. */
const BYTES_AT_ONCE = 32 * 1024 * 1024;

export function checkWith({ store, replay, timers, timeoutMs }: CheckOptions): Check {
  return async (ns, code, sample, signal) => {
    const startedAt = timers.monotonic();
    const live = await store.countLive(ns);
    const runs = await store.sampleLive(ns, listedBy(code), sample);
    const time = new AbortController();
    const disarm = timers.after(timeoutMs, () => time.abort());
    const over = AbortSignal.any([signal, time.signal]);
    const judge = async (run: SampledRun): Promise<Verdict> => {
      const verdict = over.aborted ? undefined : await replay(code.target, ns, run, over);
      return verdict === undefined || (over.aborted && verdict.type === "unanswered") ? outOfTime(timeoutMs) : verdict;
    };
    const atOnce = Math.min(code.concurrency, MOST_AT_ONCE);
    const judged = await judgeAll(runs, atOnce, judge).finally(() => {
      disarm();
      // Of a check that failed, nothing goes on.
      time.abort();
    });
    return resultOf(code, live, judged, Math.round(timers.monotonic() - startedAt));
  };
}

interface Version {
  readonly workflow: string;
  readonly version: string;
}

function listedBy({ manifest }: NewCode): Version[] {
  return manifest.workflows.map(({ name, version }) => ({ workflow: name, version }));
}

function resultOf(
  code: NewCode,
  live: readonly (Version & { readonly live: number })[],
  judged: readonly Judged[],
  elapsedMs: number,
): CheckResult {
  const { target, manifest, replaces } = code;
  const listed = listedBy(code);
  const lost = (replaces?.owns ?? []).filter((owned) => !listed.some((version) => same(version, owned)));
  const unserved = live.filter((count) => lost.some((version) => same(version, count)));
  const findings = sorted([
    ...findingsOf(judged),
    ...unserved.map((count) => unservedFinding(count, replaces?.name ?? "")),
  ]);
  const versions = listed.map((version) => ({
    name: version.workflow,
    version: version.version,
    live: live.find((count) => same(count, version))?.live ?? 0,
    checked: judged.filter(({ run, verdict }) => same(run, version) && isKnown(verdict)).length,
  }));
  const sdk = `${manifest.sdk.name} ${manifest.sdk.version}`;
  return { url: shownUrl(target.url), sdk, ok: findings.every(isHarmless), versions, findings, elapsedMs };
}

/** In the order of the runs. */
async function judgeAll(
  runs: readonly SampledRun[],
  atOnce: number,
  judge: (run: SampledRun) => Promise<Verdict>,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  const room = new Room(BYTES_AT_ONCE);
  const waiting = runs.entries();
  const worker = async (): Promise<void> => {
    for (const [place, run] of waiting) {
      const bytes = isSendable(run) ? run.bytes : 0;
      await room.enter(bytes);
      try {
        judged[place] = { run, verdict: await judge(run) };
      } finally {
        room.leave(bytes);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, runs.length) }, worker));
  return judged;
}

/** Lets in what fits. */
class Room {
  readonly #most: number;
  #used = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  async enter(bytes: number): Promise<void> {
    while (this.#used + bytes > this.#most) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#used += bytes;
  }

  leave(bytes: number): void {
    this.#used -= bytes;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function isKnown({ type }: Verdict): boolean {
  return type === "fits" || type === "stops";
}

function outOfTime(timeoutMs: number): Verdict {
  const message = `Not asked within the ${timeoutMs / 1_000} s of a check. Try a smaller sample.`;
  return { type: "unanswered", refusal: { code: "ENDPOINT_TIMEOUT", message } };
}

function same(a: Version, b: Version): boolean {
  return a.workflow === b.workflow && a.version === b.version;
}
