import { stripVTControlCharacters } from "node:util";
import { AikiError, type Run, recordSchema } from "@aikirun/protocol";
import { expect, test } from "vitest";
import type { TimedRecord } from "../src/history.js";
import { timeline, watchRun } from "../src/index.js";

const HASH = "a".repeat(64);
const START = 1_000_000;

/** Records as the API sends them: the schema refuses a shape that cannot be. */
function records(
  ...facts: readonly (readonly [at: number, kind: string, key: string, value: object])[]
): TimedRecord[] {
  return facts.map(([at, kind, key, value], index) => ({
    ...recordSchema.parse({ n: index + 1, kind, key: `${kind}:${key}`, value }),
    at: START + at,
  }));
}

function lines(history: readonly TimedRecord[]): string[] {
  return history.map(timeline(START)).map((line) => stripVTControlCharacters(line).replace(/ {2,}/g, "  ").trim());
}

test("every kind of record has a line a person can read", () => {
  const error = { name: "Error", message: "card\ndeclined" };
  const history = records(
    [12, "task", `charge-card:${HASH}#0`, { state: "retrying", attempts: 1, error, nextAttemptAt: START + 512 }],
    [
      600,
      "task",
      `charge-card:${HASH}#0`,
      { state: "completed", attempts: 2, timing: { startedAt: 5, elapsedMs: 41 } },
    ],
    [700, "task", `charge-card:${HASH}#1`, { state: "failed", attempts: 3, error }],
    [800, "sleep", "grace#0", { state: "sleeping", wakeAt: START + 86_400_800 }],
    [90_000, "sleep", "grace#0", { state: "cancelled" }],
    [90_000, "event", "paid#0", { state: "waiting", timeoutAt: START + 120_000 }],
    [91_500, "event", "paid#0", { state: "received", data: { by: "Ada" }, message: 1 }],
    [91_700, "event", "refused#0", { state: "closed" }],
    [92_000, "child", `survey:1.0.0:${HASH}#0`, { state: "started", runId: `run_${"0".repeat(26)}` }],
    [92_000, "wait", `child:survey:1.0.0:${HASH}#0/completed#0`, { state: "waiting" }],
    [95_000, "child", `survey:1.0.0:${HASH}#0`, { state: "ended", runId: `run_${"0".repeat(26)}`, status: "failed" }],
    [96_000, "child", "parcel:2.0.0:order:7#0", { state: "started", runId: `run_${"0".repeat(26)}` }],
    [97_000, "run", "#0", { state: "limited", timeoutMs: 7_200_000 }],
    [97_000, "run", "#0", { state: "retrying", runAttempt: 1, error, nextAttemptAt: START + 98_000 }],
    [98_000, "run", "#0", { state: "retried", runAttempt: 2 }],
    [99_000, "run", "#0", { state: "failed", error }],
    [100_000, "run", "#0", { state: "retried", runAttempt: 3, reopenedAt: START + 100_000 }],
  );
  expect(lines(history)).toEqual([
    "+0.012s  ○ task  charge-card  attempt 1 failed: Error: card declined; again at +0.512s",
    "+0.600s  ✓ task  charge-card  41 ms, attempt 2",
    "+0.700s  ✗ task  charge-card #2  attempt 3 failed: Error: card declined; no more attempts",
    "+0.800s  … sleep  grace  sleeps until +1d",
    "+1min30s  ○ sleep  grace  woken early",
    "+1min30s  … event  paid  waits, at most until +2min",
    '+1min32s  ✓ event  paid  received {"by":"Ada"}',
    "+1min32s  ○ event  refused  given up after 0 ms",
    `+1min32s  … child  survey@1.0.0  started run_${"0".repeat(26)}`,
    "+1min32s  … wait  survey@1.0.0 completed  waits",
    "+1min35s  ✗ child  survey@1.0.0  failed after 3 s",
    `+1min36s  … child  parcel@2.0.0 (order:7)  started run_${"0".repeat(26)}`,
    "+1min37s  … run  may take 2 h",
    "+1min37s  ○ run  attempt 1 failed: Error: card declined; again at +1min38s",
    "+1min38s  … run  attempt 2 begins",
    "+1min39s  ✗ run  failed: Error: card declined",
    "+1min40s  … run  attempt 3 begins, asked for by hand",
  ]);
});

test("what comes from a run cannot steer the terminal", () => {
  const [line] = lines(records([0, "event", "e#0", { state: "received", data: "\u001b[2J\u0007", message: 1 }]));
  expect(line).not.toMatch(/[\u0000-\u001f]/);
});

test("an orchestrator that is away is told once, and asked again", async () => {
  const ending = { id: "run_1", status: "completed", createdAt: START, endedAt: START, waitsFor: [] } as unknown as Run;
  const away = new AikiError("ORCHESTRATOR_UNREACHABLE", "Cannot reach it.");
  const told: string[] = [];
  let asked = 0;
  const run = await watchRun(
    {
      getRun: async () => ({ ...ending, status: "running", endedAt: undefined }),
      readHistory: async () => ({ records: [] }),
      waitForEnd: async () => {
        if (++asked <= 2) throw away;
        return { ended: true, run: ending };
      },
    },
    "run_1",
    { begin: () => {}, record: () => {}, trouble: (text) => told.push(text) },
  );
  expect(run).toBe(ending);
  expect(told).toEqual(["Cannot reach it."]);
});

test("watching prints what is new, tells a trouble once, and ends with the run", async () => {
  const history = records(
    [1, "sleep", "s#0", { state: "sleeping", wakeAt: START + 9 }],
    [9, "sleep", "s#0", { state: "completed" }],
  );
  const trouble = { code: "CONNECTION_REFUSED", message: "down", at: START, deliveries: 1 };
  const base = { id: "run_1", status: "suspended", createdAt: START, waitsFor: [] } as unknown as Run;
  const states: Run[] = [
    { ...base, trouble },
    { ...base, trouble },
    { ...base, status: "completed", endedAt: START + 10 },
  ];
  let polls = 0;
  const seen: string[] = [];
  const run = await watchRun(
    {
      getRun: async () => base,
      readHistory: async (_id, { after = 0 } = {}) => ({ records: history.slice(after, Math.min(after + 1, polls)) }),
      waitForEnd: async () => ({ run: states[polls++] as Run, ended: polls === states.length }),
    },
    "run_1",
    {
      begin: () => seen.push("begin"),
      record: (record) => seen.push(`record ${record.n}`),
      trouble: (text) => text !== "" && seen.push(text),
    },
  );
  expect(run.status).toBe("completed");
  expect(seen).toEqual(["begin", "record 1", "suspended: CONNECTION_REFUSED down", "record 2"]);
});
