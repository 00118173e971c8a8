import { newId } from "@aikirun/protocol";
import { describe, expect, it } from "vitest";
import type { ServerOptions } from "../../src/shell/node.js";
import { memoryStore } from "../../src/store/memory.js";
import { newSchedule } from "../store/conformance/arena.js";
import { ADMIN_KEY, type Answer, call, start } from "./server.js";

const WEEKLY = { type: "cron", expression: "0 9 * * 1", timezone: "Europe/Berlin" } as const;
const HOURLY = { type: "interval", everyMs: 3_600_000 } as const;
const REPORT = { workflow: "report", version: "1.0.0", input: { team: "ops" } } as const;
const codeOf = ({ status, json }: Answer) => [status, json.error?.code];

async function api(more: Partial<ServerOptions> = {}) {
  const aiki = await start("dev", more);
  const activate = (body: object) =>
    aiki.call("POST", "/v1/schedules", { body: { ...REPORT, recurrence: WEEKLY, ...body } });
  const steer = (id: string, verb: string, body: object = {}) =>
    aiki.call("POST", `/v1/schedules/${id}/${verb}`, { body });
  const get = async (id: string) => (await aiki.call("GET", `/v1/schedules/${id}`)).json;
  return { ...aiki, activate, steer, get };
}

describe("activating", () => {
  it("answers when it fires next", async () => {
    const { activate, get } = await api();
    const { status, json } = await activate({});
    expect([status, json.outcome]).toEqual([201, "created"]);
    const { schedule } = json;
    expect(schedule).toMatchObject({
      ...REPORT,
      recurrence: WEEKLY,
      overlapPolicy: "allow",
      catchUp: "one",
      status: "active",
      started: 0,
      skipped: 0,
    });
    expect(schedule.upcoming).toHaveLength(5);
    expect(schedule.upcoming[0]).toBe(schedule.nextAt);
    for (const at of schedule.upcoming) {
      const there = new Date(at).toLocaleString("en-GB", {
        timeZone: "Europe/Berlin",
        weekday: "short",
        hour: "2-digit",
        minute: "2-digit",
      });
      expect(there).toMatch(/^Mon.*09:00$/);
    }
    expect(await get(schedule.id)).toEqual(schedule);
  });

  it("twice is once: by workflow, version, recurrence and input", async () => {
    const { activate } = await api();
    const { id } = (await activate({})).json.schedule;
    const again = await activate({ recurrence: { ...WEEKLY, expression: " 0 9  * * 1" } });
    expect([again.status, again.json.outcome, again.json.schedule.id]).toEqual([200, "unchanged", id]);
    const policies = await activate({ overlapPolicy: "skip", catchUp: "all" });
    expect([policies.status, policies.json.outcome]).toEqual([200, "updated"]);
    expect(policies.json.schedule).toMatchObject({ id, overlapPolicy: "skip", catchUp: "all" });
    const others = [
      { workflow: "other" },
      { version: "2.0.0" },
      { input: { team: "dev" } },
      { recurrence: HOURLY },
      { recurrence: { ...WEEKLY, timezone: "Europe/Paris" } },
      { reference: { id: "weekly" } },
    ];
    const ids = await Promise.all(others.map(async (body) => (await activate(body)).json.schedule.id));
    expect(new Set([id, ...ids]).size).toBe(others.length + 1);
  });

  it("twice is once: by reference, and updates in place", async () => {
    const { activate } = await api();
    const reference = { id: "weekly" };
    const { schedule } = (await activate({ reference })).json;
    const same = await activate({ reference });
    expect(same.json).toEqual({ schedule, outcome: "unchanged" });
    const deployed = await activate({ reference, version: "2.0.0", input: { team: "dev" } });
    expect(deployed.json.outcome).toBe("updated");
    expect(deployed.json.schedule).toMatchObject({
      id: schedule.id,
      version: "2.0.0",
      input: { team: "dev" },
      nextAt: schedule.nextAt,
    });
    const hourly = await activate({ reference, recurrence: HOURLY });
    expect(hourly.json.schedule).toMatchObject({ id: schedule.id, recurrence: HOURLY, version: "1.0.0" });
    expect(hourly.json.schedule.nextAt).not.toBe(schedule.nextAt);
  });

  it("obeys the conflict policy of the reference", async () => {
    const { activate } = await api();
    const { schedule } = (await activate({ reference: { id: "weekly" } })).json;
    const error = { id: "weekly", conflictPolicy: "error" };
    expect((await activate({ reference: error })).json).toEqual({ schedule, outcome: "unchanged" });
    const refused = await activate({ reference: error, version: "2.0.0" });
    expect(codeOf(refused)).toEqual([409, "REFERENCE_CONFLICT"]);
    expect(refused.json.error.message).toContain(schedule.id);
    const kept = await activate({ reference: { id: "weekly", conflictPolicy: "return_existing" }, version: "2.0.0" });
    expect(kept.json).toEqual({ schedule, outcome: "unchanged" });
  });

  it.each([
    [{ recurrence: { type: "cron", expression: "61 * * * *" } }, "CRON_INVALID", "minute: 61"],
    [{ recurrence: { type: "cron", expression: "0 0 30 2 *" } }, "CRON_INVALID", "never comes"],
    [{ recurrence: { ...WEEKLY, timezone: "Mars/Phobos" } }, "TIME_ZONE_INVALID", "IANA"],
    [{ recurrence: { type: "cron", expression: "*".repeat(201) } }, "INVALID_REQUEST", "recurrence.expression"],
    [{ recurrence: { type: "cron", expression: "" } }, "INVALID_REQUEST", "recurrence.expression"],
    [{ recurrence: { ...WEEKLY, timezone: "a".repeat(65) } }, "INVALID_REQUEST", "recurrence.timezone"],
    [{ recurrence: { type: "interval", everyMs: 999 } }, "INVALID_REQUEST", "recurrence.everyMs"],
    [{ recurrence: { type: "interval", everyMs: 3_650 * 86_400_000 + 1 } }, "INVALID_REQUEST", "recurrence.everyMs"],
    [{ recurrence: { type: "interval", everyMs: -1 } }, "INVALID_REQUEST", "recurrence.everyMs"],
    [{ recurrence: { type: "moon" } }, "INVALID_REQUEST", "recurrence.type"],
    [{ overlapPolicy: "queue" }, "INVALID_REQUEST", "overlapPolicy"],
    [{ catchUp: "none" }, "INVALID_REQUEST", "catchUp"],
    [{ workflow: "" }, "INVALID_REQUEST", "workflow"],
    [{ reference: { id: "" } }, "INVALID_REQUEST", "reference.id"],
    [{ overlap: "skip" }, "INVALID_REQUEST", "overlap"],
  ])("refuses %j before anything is stored", async (body, code, words) => {
    const { activate, call } = await api();
    const refused = await activate(body);
    expect(codeOf(refused)).toEqual([400, code]);
    expect(refused.json.error.message).toContain(words);
    expect((await call("GET", "/v1/schedules")).json.schedules).toEqual([]);
  });

  it("takes ten years", async () => {
    const { activate } = await api();
    const everyMs = 3_650 * 86_400_000;
    const askedAt = Date.now();
    const { schedule } = (await activate({ recurrence: { type: "interval", everyMs } })).json;
    // From when it was asked for: it is stored somewhat later.
    expect((schedule.nextAt ?? 0) - askedAt).toBeGreaterThanOrEqual(everyMs);
  });

  it("has a bound", { timeout: 60_000 }, async () => {
    const store = memoryStore();
    for (let i = 0; i < 10_000; i++) await store.activate(newSchedule({ nextAt: undefined }), 10_000);
    const { activate } = await api({ store });
    const refused = await activate({});
    expect(codeOf(refused)).toEqual([409, "TOO_MANY_SCHEDULES"]);
    expect(refused.json.error.message).toContain("10,000");
  });
});

describe("steering", () => {
  it("pauses, resumes without making up for anything, and deletes", async () => {
    const { activate, steer, get, call } = await api();
    const { schedule } = (await activate({})).json;
    const { id } = schedule;
    for (let i = 0; i < 2; i++)
      expect((await steer(id, "pause")).json).toMatchObject({ id, status: "paused", upcoming: [] });
    expect((await get(id)).nextAt).toBeUndefined();
    expect((await activate({})).json.schedule.status).toBe("paused");
    for (let i = 0; i < 2; i++)
      expect((await steer(id, "resume")).json).toMatchObject({ id, status: "active", nextAt: schedule.nextAt });
    expect((await call("DELETE", `/v1/schedules/${id}`)).status).toBe(204);
    for (const answer of [
      await call("DELETE", `/v1/schedules/${id}`),
      await call("GET", `/v1/schedules/${id}`),
      await steer(id, "pause"),
      await steer(id, "resume"),
      await steer(id, "trigger"),
    ]) {
      expect(codeOf(answer)).toEqual([404, "NOT_FOUND"]);
    }
  });

  it("triggers once for one id, and under the overlap policy", async () => {
    const { activate, steer, get, call } = await api();
    const { id } = (await activate({ overlapPolicy: "skip" })).json.schedule;
    const runId = newId("run");
    const first = await steer(id, "trigger", { id: runId });
    expect([first.status, first.json]).toEqual([201, { runId, started: true }]);
    expect((await steer(id, "trigger", { id: runId })).json).toEqual({ runId, started: true });
    const second = await steer(id, "trigger");
    expect([second.status, second.json]).toEqual([200, { runId, started: false }]);
    expect(await get(id)).toMatchObject({ started: 1, skipped: 1, lastRun: runId });
    const { runs } = (await call("GET", `/v1/runs?schedule=${id}`)).json;
    expect(runs).toMatchObject([{ id: runId, schedule: id, workflow: "report" }]);
    const other = (await activate({ version: "2.0.0" })).json.schedule.id;
    expect(codeOf(await steer(other, "trigger", { id: runId }))).toEqual([409, "RUN_ID_CONFLICT"]);
  });

  it("cancels the run before when it is triggered under cancel_previous", async () => {
    const { activate, steer, call } = await api();
    const { id } = (await activate({ overlapPolicy: "cancel_previous" })).json.schedule;
    const { runId } = (await steer(id, "trigger")).json;
    await steer(id, "trigger");
    const ended = (await call("GET", `/v1/runs/${runId}/wait?timeoutMs=20000`)).json.run;
    expect(ended).toMatchObject({ status: "cancelled", reason: `${id} started its next run` });
  });
});

it("lists pages of what is asked for", async () => {
  const { activate, call, steer } = await api();
  const ids: string[] = [];
  for (const version of ["1.0.0", "2.0.0", "3.0.0"]) ids.unshift((await activate({ version })).json.schedule.id);
  await steer(ids[0] ?? "", "pause");
  const list = async (query: string) => {
    const { schedules, next } = (await call("GET", `/v1/schedules?${query}`)).json;
    return [schedules.map(({ id }) => id), next];
  };
  expect(await list("")).toEqual([ids, undefined]);
  expect(await list("limit=2")).toEqual([ids.slice(0, 2), ids[1]]);
  expect(await list(`limit=2&cursor=${ids[1]}`)).toEqual([ids.slice(2), undefined]);
  expect(await list("status=paused")).toEqual([ids.slice(0, 1), undefined]);
  expect(await list("workflow=report&version=2.0.0")).toEqual([[ids[1]], undefined]);
  expect(codeOf(await call("GET", "/v1/schedules?status=done"))).toEqual([400, "INVALID_REQUEST"]);
});

it("shows nothing of one namespace to another", async () => {
  const aiki = await start("start");
  const key = async (namespace: string) =>
    (await aiki.call("POST", "/v1/keys", { body: { namespace, scope: "write" } })).json.secret;
  const [mine, theirs] = [await key("mine"), await key("theirs")];
  const as = (who: string, method: string, path: string, body?: object) =>
    call(aiki.server.port, method, path, { key: who, ...(body && { body }) });
  const { id } = (await as(mine, "POST", "/v1/schedules", { ...REPORT, recurrence: WEEKLY })).json.schedule;
  const other = (await as(theirs, "POST", "/v1/schedules", { ...REPORT, recurrence: WEEKLY })).json;
  expect(other.outcome).toBe("created");
  expect(other.schedule.id).not.toBe(id);
  for (const [method, path] of [
    ["GET", ""],
    ["DELETE", ""],
    ["POST", "/pause"],
    ["POST", "/resume"],
    ["POST", "/trigger"],
  ] as const) {
    expect(codeOf(await as(theirs, method, `/v1/schedules/${id}${path}`, method === "POST" ? {} : undefined))).toEqual([
      404,
      "NOT_FOUND",
    ]);
  }
  expect((await as(mine, "GET", "/v1/schedules")).json.schedules.map((one) => one.id)).toEqual([id]);
  expect((await as(ADMIN_KEY, "GET", "/v1/schedules")).json.schedules).toEqual([]);
});
