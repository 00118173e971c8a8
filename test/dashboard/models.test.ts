/** What the page makes of data, without a browser. */
import type { RunSummary } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import { aikiCommand } from "../../server/dashboard/src/api/command-line.js";
import type { TimedRecord } from "../../server/dashboard/src/api/follow-run.js";
import { move, place, ticksOf, zoom } from "../../server/dashboard/src/pages/run/scale.js";
import { timelineOf } from "../../server/dashboard/src/pages/run/timeline-model.js";
import { applyChange, freshIds, NOTHING_CHANGED, rowsOf } from "../../server/dashboard/src/pages/runs/live-list.js";
import { faultsOf, type Schema, shapeOf, startValue } from "../../server/dashboard/src/parts/json-schema.js";
import { durationText, relativeText, shortId } from "../../server/dashboard/src/parts/text.js";

const HASH = "ab".repeat(32);
const error = { name: "Error", message: "no" };

describe("a timeline", () => {
  const records = [
    task(1, 1_100, { state: "retrying", attempts: 1, error, nextAttemptAt: 1_500, timing: at(1_000, 100) }),
    task(2, 1_500, { state: "retrying", attempts: 1, error, nextAttemptAt: 1_500, due: true, timing: at(1_000, 100) }),
    task(3, 1_900, { state: "completed", attempts: 2, output: 7, timing: at(1_600, 300) }),
    { n: 4, at: 2_000, kind: "sleep", key: "sleep:nap#0", value: { state: "sleeping", wakeAt: 9_000 } },
    { n: 5, at: 2_000, kind: "child", key: `child:ride:1.0.0:${HASH}#0`, value: { state: "started", runId: "run_1" } },
    { n: 6, at: 2_000, kind: "wait", key: `wait:child:ride:1.0.0:${HASH}#0/completed#0`, value: { state: "waiting" } },
    { n: 7, at: 2_500, kind: "child", key: `child:ride:1.0.0:${HASH}#0`, value: ended("run_1") },
    { n: 8, at: 2_600, kind: "run", key: "run:#0", value: { state: "retried", runAttempt: 2 } },
  ] as TimedRecord[];
  const { entries, retriedAt } = timelineOf(records);

  it("has one entry for each call, in the order of their beginnings", () => {
    expect(entries.map(({ kind, name }) => `${kind} ${name}`)).toEqual(["task pay", "sleep nap", "child ride@1.0.0"]);
    expect(retriedAt).toEqual([2_600]);
  });

  it("draws each attempt where it ran, and the gap between", () => {
    const [paid] = entries;
    expect(paid?.bars.map(({ look, from, to }) => [look, from, to])).toEqual([
      ["retrying", 1_000, 1_100],
      ["gap", 1_100, 1_600],
      ["completed", 1_600, 1_900],
    ]);
    expect(paid).toMatchObject({ attempts: 2, output: 7, to: 1_900, hash: HASH });
  });

  it("leaves open what goes on, and tells when it ends by itself", () => {
    expect(entries[1]).toMatchObject({ state: "sleeping", endsAt: 9_000 });
    expect(entries[1]?.to).toBeUndefined();
  });

  it("counts the wait for a child to the child", () => {
    expect(entries[2]).toMatchObject({ state: "completed", childId: "run_1", from: 2_000, to: 2_500 });
    expect(entries[2]?.records).toHaveLength(3);
  });

  function task(n: number, instant: number, value: object): object {
    return { n, at: instant, kind: "task", key: `task:pay:${HASH}#0`, value };
  }
  function at(startedAt: number, elapsedMs: number): object {
    return { startedAt, elapsedMs };
  }
  function ended(runId: string): object {
    return { state: "ended", runId, status: "completed" };
  }
});

describe("a scale", () => {
  const whole = { from: 0, to: 1_000 };

  it("zooms around an instant and never leaves the whole", () => {
    expect(zoom(whole, whole, 2, 500)).toEqual({ from: 250, to: 750 });
    expect(zoom(whole, whole, 2, 0)).toEqual({ from: 0, to: 500 });
    expect(zoom({ from: 0, to: 500 }, whole, 0.5, 0)).toBeUndefined();
    expect(move({ from: 600, to: 800 }, whole, 5)).toEqual({ from: 800, to: 1_000 });
  });

  it("places what is in sight, cut at the edges", () => {
    expect(place({ from: 0, to: 400 }, { from: 200, to: 600 })).toEqual({ left: 0, width: 50 });
    expect(place({ from: 0, to: 100 }, { from: 200, to: 600 })).toBeUndefined();
  });

  it("has few ticks, at round distances", () => {
    expect(ticksOf(whole, 0)).toEqual([0, 200, 400, 600, 800, 1_000]);
    const days = 86_400_000;
    expect(ticksOf({ from: 0, to: 6 * days }, 0)).toEqual([0, 1, 2, 3, 4, 5, 6].map((day) => day * days));
  });
});

describe("a live list", () => {
  const pages = [run("c"), run("b"), run("a")];

  it("lays what the stream tells over what was read", () => {
    const overlay = applyChange(NOTHING_CHANGED, { runs: [run("b", "failed")], gone: [], whole: false });
    expect(rowsOf(pages, overlay, []).map(({ id, status }) => id + status[0])).toEqual(["cc", "bf", "ac"]);
  });

  it("keeps new runs back until they are shown", () => {
    const overlay = applyChange(NOTHING_CHANGED, { runs: [run("d"), run("c")], gone: [], whole: true });
    expect(freshIds(pages, overlay)).toEqual(["d"]);
    expect(rowsOf(pages, overlay, [])).toHaveLength(3);
    expect(rowsOf(pages, overlay, ["d"]).map(({ id }) => id)).toEqual(["d", "c", "b", "a"]);
  });

  it("drops what does not match any more, and keeps what newer ones have pushed out of sight", () => {
    const first = applyChange(NOTHING_CHANGED, { runs: pages, gone: [], whole: true });
    const pushedOut = applyChange(first, { runs: [run("d")], gone: ["a"], whole: false });
    expect(rowsOf(pages, pushedOut, ["d"]).map(({ id }) => id)).toEqual(["d", "c", "b", "a"]);
    const changed = applyChange(first, { runs: [], gone: ["b"], whole: false });
    expect(rowsOf(pages, changed, []).map(({ id }) => id)).toEqual(["c", "a"]);
  });

  function run(id: string, status: RunSummary["status"] = "completed"): RunSummary {
    return { id, status, workflow: "w", version: "1", createdAt: 0 };
  }
});

describe("a form", () => {
  const schema: Schema = {
    type: "object",
    properties: { who: { $ref: "#/$defs/Who" }, tags: { type: "array", items: { type: "string" } }, any: {} },
    required: ["who"],
    $defs: { Who: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } },
  };

  it("takes its shape from the schema, references followed", () => {
    const shape = shapeOf(schema, schema);
    if (shape.type !== "object") throw new Error(shape.type);
    expect(shape.fields.map((field) => shapeOf(field.schema, schema).type)).toEqual(["object", "array", "any"]);
    expect(startValue(schema, schema)).toEqual({ who: {} });
  });

  it("tells what does not fit where it is, and what is missing", async () => {
    expect(await faultsOf({ who: {} }, schema)).toEqual([
      { path: "/who/name", message: "This is needed.", missing: true },
    ]);
    expect((await faultsOf({ who: { name: 3 } }, schema)).map(({ path }) => path)).toEqual(["/who/name"]);
    expect(await faultsOf({ who: { name: "Ada" } }, schema)).toEqual([]);
  });

  it("ends for a schema that refers to itself", () => {
    const endless: Schema = { $ref: "#" };
    expect(shapeOf(endless, endless)).toEqual({ type: "any" });
    const nested: Schema = { type: "object", properties: { again: { $ref: "#" } }, required: ["again"] };
    expect(JSON.stringify(startValue(nested, nested)).length).toBeLessThan(200);
  });
});

describe("texts", () => {
  it("say durations and distances as exactly as a person wants them", () => {
    expect([41, 1_250, 12_340, 200_000, 7_500_000, 280_000_000].map(durationText)).toEqual([
      "41 ms",
      "1.25 s",
      "12.3 s",
      "3 min 20 s",
      "2 h 5 min",
      "3 d 6 h",
    ]);
    expect(relativeText(0, 500)).toBe("now");
    expect(relativeText(0, 180_000)).toBe("3m ago");
    expect(shortId(`run_01k${"x".repeat(23)}`)).toBe("run_01kxx…xxxxxx");
  });

  it("make commands that a shell takes as they are meant", () => {
    expect(aikiCommand(["runs", "start", "order@1.0.0"], { input: `{"who":"O'Neill"}`, reference: undefined })).toBe(
      `aiki runs start order@1.0.0 --input '{"who":"O'\\''Neill"}'`,
    );
  });
});
