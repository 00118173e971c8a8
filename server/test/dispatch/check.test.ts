/** The bounds of a check, and how its verdicts are told together. */
import type { CheckResult, Manifest } from "@aikirun/protocol";
import { newId } from "@aikirun/protocol";
import { expect, it } from "vitest";
import { type CheckOptions, checkWith } from "../../src/dispatch/check.js";
import { findingsOf, isHarmless, sorted } from "../../src/dispatch/findings.js";
import type { Replay, Verdict } from "../../src/dispatch/replay.js";
import { realTimers } from "../../src/dispatch/timers.js";
import type { SampledRun } from "../../src/store/port.js";

const FITS: Verdict = { type: "fits" };

function sampled(more: Partial<SampledRun> = {}): SampledRun {
  return { id: newId("run"), workflow: "order", version: "1", records: 3, bytes: 300, ...more };
}

function manifest(...versions: string[]): Manifest {
  return {
    protocol: { min: 1, max: 1 },
    sdk: { name: "test", version: "1" },
    capabilities: { inlineCheckpoints: false, streaming: false, batch: false, maxDurationMs: 60_000 },
    workflows: versions.map((version) => ({ name: "order", version, events: [] })),
  };
}

function check(
  runs: readonly SampledRun[],
  replay: Replay,
  { concurrency = 100, timeoutMs = 5_000, signal = new AbortController().signal } = {},
): Promise<CheckResult> {
  const store: CheckOptions["store"] = {
    countLive: async () => [{ workflow: "order", version: "1", live: runs.length }],
    sampleLive: async (_ns, _versions, limit) => runs.slice(0, limit),
  };
  const target = { url: "https://app.test/api/aiki?token=x", contentType: "", signatureHeader: "", headers: {} };
  const code = { target, manifest: manifest("1"), concurrency, replaces: undefined };
  return checkWith({ store, replay, timers: realTimers, timeoutMs })("default", code, 1_000, signal);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Counts what is under way at once. */
function counting(weight: (run: SampledRun) => number) {
  const seen = { most: 0, all: 0 };
  let now = 0;
  const replay: Replay = async (_target, _ns, run) => {
    now += weight(run);
    seen.most = Math.max(seen.most, now);
    seen.all++;
    await turn();
    now -= weight(run);
    return FITS;
  };
  return { seen, replay };
}

it("asks for no more at once than the endpoint takes, and for no more than a hundred", async () => {
  for (const [concurrency, most] of [
    [7, 7],
    [5_000, 100],
  ] as const) {
    const { seen, replay } = counting(() => 1);
    const result = await check(
      Array.from({ length: 250 }, () => sampled()),
      replay,
      { concurrency },
    );
    expect(seen).toEqual({ most, all: 250 });
    expect(result).toMatchObject({
      ok: true,
      url: "https://app.test/api/aiki",
      versions: [{ live: 250, checked: 250 }],
    });
  }
});

it("holds no more history in memory at once than 32 MiB, and still sends every run", async () => {
  const { seen, replay } = counting(({ bytes }) => bytes ?? 0);
  await check(
    Array.from({ length: 60 }, () => sampled({ bytes: 3 * 1024 * 1024 })),
    replay,
  );
  expect(seen.all).toBe(60);
  expect(seen.most).toBeLessThanOrEqual(32 * 1024 * 1024);
});

it("ends in its time, and says of what is left that it was not checked", async () => {
  const replay: Replay = (_target, _ns, { id }, signal) =>
    id.endsWith("0")
      ? Promise.resolve(FITS)
      : new Promise((resolve) => {
          const aborted: Verdict = { type: "unanswered", refusal: { code: "ENDPOINT_TIMEOUT", message: "called off" } };
          signal.addEventListener("abort", () => resolve(aborted));
        });
  const runs = Array.from({ length: 10 }, (_, i) => sampled({ id: `run_${String(i).padStart(26, "0")}` }));
  const result = await check([...runs, ...runs], replay, { timeoutMs: 50, concurrency: 3 });
  expect(result).toMatchObject({ ok: false, versions: [{ checked: 1 }] });
  expect(result.findings).toEqual([
    expect.objectContaining({
      outcome: "unanswered",
      runs: 19,
      message: expect.stringContaining(
        "could not be checked: ENDPOINT_TIMEOUT Not asked within the 0.05 s of a check.",
      ),
    }),
  ]);
});

it("sends nothing more when nobody waits for it", async () => {
  const gone = new AbortController();
  let sent = 0;
  const replay: Replay = async () => {
    if (++sent === 5) gone.abort();
    return FITS;
  };
  const runs = Array.from({ length: 50 }, () => sampled());
  await check(runs, replay, { concurrency: 1, signal: gone.signal });
  expect(sent).toBe(5);
});

it("fails when the store does, and sends nothing more then", async () => {
  let asked = 0;
  const replay: Replay = async () => {
    if (++asked === 3) throw new Error("the store is away");
    await turn();
    return FITS;
  };
  const runs = Array.from({ length: 50 }, () => sampled());
  await expect(check(runs, replay, { concurrency: 2 })).rejects.toThrow("the store is away");
  await turn();
  expect(asked).toBeLessThanOrEqual(4);
});

it("leaves out of a finding's numbers what is no longer there", async () => {
  const result = await check([sampled(), sampled()], async (_t, _n, run) =>
    run.records === 3 ? { type: "gone" } : FITS,
  );
  expect(result).toMatchObject({ ok: true, versions: [{ checked: 0 }], findings: [] });
});

it("tells the most pressing first, many lines in few, and an error by its code", () => {
  const stops = (leftover: string[], more: object = {}): Verdict => ({
    type: "stops",
    answer: { fits: false, divergence: { leftover, asked: [] }, alike: leftover[0] ?? "", ...more },
  });
  const thrown = { name: "AikiError", code: "SCHEMA_INVALID", message: "The input of order@1 does not fit" };
  const many = Array.from({ length: 8 }, (_, i) => `task step #${i + 1}`);
  const judged = [
    { run: sampled(), verdict: { type: "too_large" } as const },
    { run: sampled(), verdict: stops(["task a #1"], { thrown }) },
    { run: sampled(), verdict: stops(many) },
    { run: sampled(), verdict: stops(many) },
    { run: sampled(), verdict: FITS },
  ];
  const findings = sorted(findingsOf(judged));
  expect(findings.map(({ outcome, runs }) => [outcome, runs])).toEqual([
    ["unasked", 2],
    ["fails", 1],
    ["too_large", 1],
  ]);
  expect(findings.map(isHarmless)).toEqual([false, false, true]);
  expect(findings[0]?.message).toContain(
    "2 of 5 runs of order@1 would diverge at the next new call. Recorded but not asked for: task step #1, task step #2, task step #3, task step #4, task step #5, and 3 more. For example ",
  );
  expect(findings[1]?.message).toContain(
    "would fail before the code asks for all that is recorded: SCHEMA_INVALID The input of order@1 does not fit. Recorded but not asked for: task a #1.",
  );
});
