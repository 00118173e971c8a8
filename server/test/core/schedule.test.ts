import { LIMITS, scheduledRunId } from "@aikirun/protocol/canonical";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  checkedRecurrence,
  fireDue,
  fireNow,
  nextAfter,
  overlap,
  type Recurrence,
  type ScheduleState,
  upcoming,
} from "../../src/core/schedule.js";

const at = (text: string): number => Date.parse(text);
const texts = (instants: readonly number[]): string[] =>
  instants.map((instant) => new Date(instant).toISOString().replace(".000Z", "Z"));
const cron = (expression: string, timezone = "UTC"): Recurrence => ({ type: "cron", expression, timezone });
const every = (everyMs: number): Recurrence => ({ type: "interval", everyMs });
const MINUTE = 60_000;
const YEARS_10 = LIMITS.durationMs;

function state(changes: Partial<ScheduleState> = {}): ScheduleState {
  return {
    ns: "default",
    id: "sch_1",
    seq: 7,
    recurrence: every(MINUTE),
    overlapPolicy: "allow",
    catchUp: "one",
    anchorAt: 0,
    nextAt: MINUTE,
    last: undefined,
    ...changes,
  };
}

function after(recurrence: Recurrence, from: string, count: number): string[] {
  const schedule = state({ recurrence, nextAt: nextAfter({ recurrence, anchorAt: 0 }, at(from)) });
  return texts(upcoming(schedule, count));
}

describe("cron in Europe/Berlin", () => {
  it.each([
    // The clocks go from 02:00 to 03:00 on 28 March 2027: 02:30 is left out, so it comes when they have gone forward.
    ["30 2 * * *", "2027-03-26T23:00:00Z", ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]],
    ["0 3 * * *", "2027-03-27T12:00:00Z", ["2027-03-28T01:00:00Z", "2027-03-29T01:00:00Z"]],
    ["0 * * * *", "2027-03-28T00:30:00Z", ["2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z"]],
    [
      "*/30 1-3 * * *",
      "2027-03-28T00:00:00Z",
      ["2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z"],
    ],
    // They go from 03:00 back to 02:00 on 31 October 2027: 02:30 comes twice, and fires the first time.
    ["30 2 * * *", "2027-10-29T23:00:00Z", ["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]],
    ["0 * * * *", "2027-10-30T23:30:00Z", ["2027-10-31T00:00:00Z", "2027-10-31T01:00:00Z", "2027-10-31T02:00:00Z"]],
    ["0 9 * * 1", "2027-03-21T00:00:00Z", ["2027-03-22T08:00:00Z", "2027-03-29T07:00:00Z"]],
    ["0 9 * * 1", "2027-10-24T00:00:00Z", ["2027-10-25T07:00:00Z", "2027-11-01T08:00:00Z"]],
    ["0 0 29 2 *", "2027-03-01T00:00:00Z", ["2028-02-28T23:00:00Z", "2032-02-28T23:00:00Z"]],
    ["15 30 8 * * 7", "2027-03-20T00:00:00Z", ["2027-03-21T07:30:15Z", "2027-03-28T06:30:15Z"]],
  ])("%s after %s", (expression, from, expected) => {
    expect(after(cron(expression, "Europe/Berlin"), from, expected.length)).toEqual(expected);
  });

  it("gives the same instant from everywhere before it", () => {
    const schedule = { recurrence: cron("30 2 * * *", "Europe/Berlin"), anchorAt: 0 };
    for (let from = at("2027-03-27T01:30:00Z"); from < at("2027-03-28T01:00:00Z"); from += 7 * MINUTE) {
      expect(nextAfter(schedule, from)).toBe(at("2027-03-28T01:00:00Z"));
    }
  });
});

describe("cron", () => {
  afterEach(() => void vi.useRealTimers());

  it("reads no clock", () => {
    const before = after(cron("0 9 * * 1", "Europe/Berlin"), "2027-03-21T00:00:00Z", 5);
    vi.useFakeTimers({ now: at("2031-07-01T00:00:00Z") });
    expect(after(cron("0 9 * * 1", "Europe/Berlin"), "2027-03-21T00:00:00Z", 5)).toEqual(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["61 * * * *", "minute: 61"],
    ["0 9 * * 8", "dayOfWeek: 8"],
    ["* * *", "it has 3 fields"],
    ["0 0 0 1 1 * 2028", "it has 7 fields"],
    ["2027-01-01T00:00:00", "it has 1 fields"],
    ["   ", "it has 1 fields"],
    ["@reboot", "@reboot is not supported"],
    ["0 0 30 2 *", "it never comes"],
    ["every monday at nine am", "Expected minute, hour"],
    ["0 9 * * 1; DROP TABLE", "it has 7 fields"],
  ])("%s is refused: %s", (expression, reason) => {
    const check = () => checkedRecurrence({ type: "cron", expression }, 0);
    expect(check).toThrow(expect.objectContaining({ code: "CRON_INVALID", message: expect.stringContaining(reason) }));
    expect(check).toThrow('such as "0 9 * * 1" for Mondays at nine');
  });

  it.each(["Mars/Phobos", "+02:00", "UTC+2", " "])("the time zone %s is refused", (timezone) => {
    expect(() => checkedRecurrence({ type: "cron", expression: "0 9 * * 1", timezone }, 0)).toThrow(
      expect.objectContaining({ code: "TIME_ZONE_INVALID", message: expect.stringContaining('"Europe/Berlin"') }),
    );
  });

  it("is kept with one space between fields, and in UTC unless it says otherwise", () => {
    expect(checkedRecurrence({ type: "cron", expression: " 0  9 * *\t1 " }, 0)).toEqual(cron("0 9 * * 1"));
    expect(checkedRecurrence({ type: "cron", expression: "@daily", timezone: "Asia/Kathmandu" }, 0)).toEqual(
      cron("@daily", "Asia/Kathmandu"),
    );
  });
});

describe("intervals", () => {
  it("are counted from the anchor, so that lateness does not add up", () => {
    const anchored = { recurrence: every(1_000), anchorAt: 500 };
    expect([0, 500, 501, 1_499, 1_500, 1_501, 9_999].map((now) => nextAfter(anchored, now))).toEqual([
      1_500, 1_500, 1_500, 1_500, 2_500, 2_500, 10_500,
    ]);
    let schedule = state({ recurrence: every(1_000), anchorAt: 0, nextAt: 1_000 });
    for (let n = 1; n <= 10_000; n++) {
      const firing = fireDue(schedule, n * 1_000 + (n % 900));
      schedule = { ...schedule, nextAt: firing?.nextAt };
    }
    expect(schedule.nextAt).toBe(10_001_000);
  });

  it("may be ten years long, where 2^31 ms are 24.8 days", () => {
    const now = at("2027-01-01T00:00:00Z");
    expect(nextAfter({ recurrence: every(YEARS_10), anchorAt: now }, now)).toBe(now + YEARS_10);
  });
});

describe("a fire", () => {
  it("does not come before its time", () => {
    expect(fireDue(state(), MINUTE - 1)).toBeUndefined();
    expect(fireDue(state({ nextAt: undefined }), MINUTE)).toBeUndefined();
  });

  it("starts the run of its instant and goes on to the next", () => {
    expect(fireDue(state(), MINUTE + 3)).toEqual({
      ns: "default",
      id: "sch_1",
      seq: 7,
      cause: "due",
      runIds: [scheduledRunId("sch_1", MINUTE)],
      skipped: 0,
      cancels: undefined,
      nextAt: 2 * MINUTE,
    });
  });

  it("that a person asks for leaves the next instant as it is", () => {
    expect(fireNow(state(), "run_1")).toMatchObject({ cause: "trigger", runIds: ["run_1"], nextAt: MINUTE });
    expect(fireNow(state({ nextAt: undefined }), "run_1").nextAt).toBeUndefined();
  });
});

describe("overlap", () => {
  it.each([
    ["allow", false, "start"],
    ["allow", true, "start"],
    ["skip", false, "start"],
    ["skip", true, "skip"],
    ["cancel_previous", false, "start"],
    ["cancel_previous", true, "replace"],
  ] as const)("%s, with a run before that goes on: %s: %s", (policy, live, decision) => {
    expect(overlap(policy, live)).toBe(decision);
    const schedule = state({ overlapPolicy: policy, last: { runId: "run_before", live } });
    for (const firing of [fireDue(schedule, MINUTE), fireNow(schedule, "run_now")]) {
      expect(firing?.runIds.length).toBe(decision === "skip" ? 0 : 1);
      expect(firing?.skipped).toBe(decision === "skip" ? 1 : 0);
      expect(firing?.cancels).toBe(decision === "replace" ? "run_before" : undefined);
    }
  });
});

describe("no unbounded catch-up:", () => {
  const slots = (...minutes: number[]) => minutes.map((n) => scheduledRunId("sch_1", n * MINUTE));
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const everyMinute = cron("* * * * *");
  const most = LIMITS.catchUpRuns;

  it.each([
    // policy, overlap, minutes that have passed: the minutes that are started now
    ["one", "allow", 1, [1]],
    ["one", "allow", 2, [1]],
    ["one", "allow", 525_600, [1]],
    ["one", "skip", 525_600, [1]],
    ["one", "cancel_previous", 525_600, [1]],
    ["all", "allow", 1, [1]],
    ["all", "allow", 3, [1, 2, 3]],
    ["all", "allow", most, range(1, most)],
    ["all", "allow", most + 1, range(2, most + 1)],
    ["all", "allow", 525_600, range(525_600 - most + 1, 525_600)],
    ["all", "skip", 525_600, [1]],
    ["all", "cancel_previous", 525_600, [1]],
  ] as const)("%s under %s after %i minutes", (catchUp, overlapPolicy, passed, minutes) => {
    for (const recurrence of [every(MINUTE), everyMinute]) {
      const schedule = state({ recurrence, catchUp, overlapPolicy });
      const firing = fireDue(schedule, passed * MINUTE + 500);
      expect(firing?.runIds).toEqual(slots(...minutes));
      expect(firing?.nextAt).toBe((passed + 1) * MINUTE);
    }
  });

  it("takes no longer for a second of ten years ago than for one of today", () => {
    const startedAt = performance.now();
    fireDue(state({ recurrence: cron("* * * * * *"), catchUp: "all" }), YEARS_10);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it("starts something, even when the time zone's rules have changed since", () => {
    const firing = fireDue(state({ recurrence: cron("0 0 1 1 *"), catchUp: "all", nextAt: 5 * MINUTE }), 6 * MINUTE);
    expect(firing?.runIds).toEqual(slots(5));
  });
});
