import { newId, scheduledRunId } from "@aikirun/protocol";
import { beforeEach, expect, it } from "vitest";
import { fireSchedules, Schedules } from "../../src/dispatch/schedules.js";
import { scheduleVerbs } from "../../src/store/memory.js";
import { MemorySchedules } from "../../src/store/memory-schedules.js";
import { type NewSchedule, StoreUnavailable } from "../../src/store/port.js";
import { newSchedule } from "../store/conformance/arena.js";
import { Workbench } from "./workbench.js";

let bench: Workbench;
let verbs: ReturnType<typeof scheduleVerbs>;
let statements: string[];
let storeAway: boolean;
let errors: unknown[];
beforeEach(() => {
  bench = new Workbench();
  statements = [];
  storeAway = false;
  errors = [];
  const options = { now: () => bench.now, afterStatement: (verb: string) => void statements.push(verb) };
  verbs = scheduleVerbs(new MemorySchedules(bench.runs, options));
});

const DAY = 24 * 3_600_000;

function firing(): Schedules {
  const away = () => Promise.reject(new StoreUnavailable("away"));
  const schedules = new Schedules({
    store: {
      now: () => bench.runs.now(),
      upcomingSchedules: (after, limit) => (storeAway ? away() : verbs.upcomingSchedules(after, limit)),
      fire: (one) => (storeAway ? away() : verbs.fire(one)),
    },
    timers: bench.timers(),
    onError: (error) => errors.push(error),
  });
  schedules.start();
  return schedules;
}

async function every(everyMs: number, changes: Partial<NewSchedule> = {}): Promise<string> {
  const id = newId("sch");
  const anchorAt = bench.now;
  const recurrence = { type: "interval", everyMs } as const;
  await verbs.activate(newSchedule({ id, recurrence, anchorAt, nextAt: anchorAt + everyMs, ...changes }), 1_000);
  return id;
}

function starts(id: string): number[] {
  return [...bench.runs.rows.values()].filter((row) => row.schedule === id).map((row) => row.facts.createdAt);
}

it("fires on the instant, whoever of two it is, and does not drift", async () => {
  const id = await every(1_700);
  const from = bench.now;
  firing();
  firing();
  await bench.pass(17_100);
  expect(starts(id)).toEqual(Array.from({ length: 10 }, (_, i) => from + (i + 1) * 1_700));
});

it("knows of a schedule that another process activated within a scan", async () => {
  firing();
  await bench.pass(10_000);
  const id = await every(1_000);
  await bench.pass(4_000);
  expect(starts(id).length).toBeGreaterThanOrEqual(2);
});

it("is told of a schedule that was activated here", async () => {
  const schedules = firing();
  await bench.pass(10_001);
  const at = bench.now + 5;
  const id = await every(DAY, { nextAt: at });
  schedules.wakeAt(at);
  await bench.pass(10);
  expect(starts(id)).toEqual([at]);
});

it("waits for years without a timer that is too long, and asks the idle store seldom", async () => {
  const id = await every(3_650 * DAY);
  const soon = await every(40 * DAY);
  firing();
  await bench.pass(60_000);
  const asked = statements.length;
  expect(asked).toBeLessThan(50);
  expect([...starts(id), ...starts(soon)]).toEqual([]);
});

it("makes one run of what was missed, and goes on as before", async () => {
  const id = await every(60_000);
  const from = bench.now;
  await bench.pass(10 * 60_000 + 500);
  firing();
  await bench.pass(60_000);
  expect(starts(id)).toEqual([from + 600_500, from + 660_000]);
});

it("makes up for everything within a bound when it is asked to", async () => {
  const id = await every(60_000, { catchUp: "all" });
  const from = bench.now;
  await bench.pass(130 * 60_000 + 500);
  firing();
  await bench.pass(1_000);
  const made = [...bench.runs.rows.values()].filter((row) => row.schedule === id).map((row) => row.facts.id);
  expect(made).toEqual(Array.from({ length: 100 }, (_, i) => scheduledRunId(id, from + (31 + i) * 60_000)));
});

it("goes on when the store comes back", async () => {
  const id = await every(1_000);
  firing();
  await bench.pass(3_500);
  storeAway = true;
  await bench.pass(20_000);
  expect(starts(id)).toHaveLength(3);
  storeAway = false;
  await bench.pass(5_000);
  expect(starts(id).length).toBeGreaterThanOrEqual(6);
  expect(errors).toEqual([]);
});

it("fires all of many, also behind one that cannot be fired", async () => {
  const nonsense = { recurrence: { type: "cron", expression: "nonsense", timezone: "UTC" }, nextAt: 1 } as const;
  const broken = await Promise.all(Array.from({ length: 70 }, () => every(1_000, nonsense)));
  const ids = await Promise.all(Array.from({ length: 150 }, () => every(1_000)));
  await bench.pass(1_000);
  const next = await fireSchedules({
    store: { ...verbs, now: () => bench.runs.now() },
    onError: (e) => errors.push(e),
  });
  expect(ids.map((id) => starts(id).length)).toEqual(ids.map(() => 1));
  expect(errors).toHaveLength(broken.length);
  expect(next).toBe(bench.now + 1_000);
});

it("stops when it is told to", async () => {
  const id = await every(1_000);
  const schedules = firing();
  await bench.pass(1_500);
  await schedules.stop();
  await bench.pass(5_000);
  expect(starts(id)).toHaveLength(1);
});
