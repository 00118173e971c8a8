import { type RunningServer, startServer } from "@aikirun/server";
import { memoryStore } from "@aikirun/server/store/memory";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { aiki as command, type Ended } from "./aiki.js";

// Each command is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

let server: RunningServer;
beforeAll(async () => {
  const settings = { AIKI_SECRET: crypto.getRandomValues(new Uint8Array(32)), PORT: 0 };
  const log = { info() {}, warn() {}, error() {} };
  server = await startServer({ settings, mode: "dev", store: memoryStore(), log });
});
afterAll(() => server.close());

/** In New York, so that local time is not the schedule's own. */
const aiki = (...args: string[]): Promise<Ended> =>
  command(args, { env: { AIKI_URL: server.url, TZ: "America/New_York" } });
const json = async (...args: string[]) => {
  const { stdout, stderr, code } = await aiki("--json", ...args);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};

const WEEKLY = [
  "--cron",
  "0 9 * * 1",
  "--timezone",
  "Europe/Berlin",
  "--input",
  '{"team":"ops"}',
  "--reference",
  "weekly",
];

test("a schedule's life", async () => {
  const created = await aiki("schedules", "create", "report@1.0.0", ...WEEKLY, "--overlap", "skip");
  expect(created).toMatchObject({ code: 0 });
  expect(created.stdout).toMatch(/^Created\.\nschedule +sch_/);
  expect(created.stdout).toMatch(/\nfires +0 9 \* \* 1 Europe\/Berlin\noverlap +skip\ncatch-up +one\n/);
  // Monday at nine in Berlin is three in the morning, or four for two weeks in spring, in New York.
  expect(created.stdout).toMatch(/\nnext +\d{4}-\d\d-\d\d 0[34]:00:00 \(\d{4}-\d\d-\d\d 09:00:00 Europe\/Berlin\)\n/);

  const again = await json("schedules", "create", "report@2.0.0", ...WEEKLY, "--overlap", "skip");
  expect(again).toMatchObject({ outcome: "updated", schedule: { version: "2.0.0", reference: "weekly" } });
  const { id } = again.schedule;

  const list = await aiki("schedules", "list");
  expect(list.stdout).toMatch(/^schedule +workflow +status +fires +next +started +reference\n/);
  expect(list.stdout).toMatch(
    new RegExp(`${id}  report@2\\.0\\.0  active  0 9 .* Europe/Berlin  .* 09:00:00 .*  0        weekly`),
  );
  expect((await json("schedules", "list", "--status", "paused")).schedules).toEqual([]);
  expect(
    (await json("schedules", "list", "--reference", "weekly", "--workflow-version", "2.0.0")).schedules,
  ).toHaveLength(1);

  expect((await aiki("schedules", "pause", id)).stdout).toBe(`${id} is paused.\n`);
  expect((await aiki("schedules", "get", id)).stdout).toMatch(/\nstatus +paused\n/);
  expect((await aiki("schedules", "resume", id)).stdout).toMatch(
    / is active\. It fires next at .* 09:00:00 Europe\/Berlin\)\.\n/,
  );

  const { runId } = await json("schedules", "trigger", id);
  expect((await aiki("schedules", "trigger", id)).stdout).toBe(
    `Started nothing: ${runId} goes on, and the overlap policy is skip.\n`,
  );
  expect((await json("runs", "list", "--schedule", id)).runs).toMatchObject([{ id: runId, schedule: id }]);
  expect((await aiki("runs", "get", runId)).stdout).toMatch(new RegExp(`\nschedule +${id}\n`));
  expect((await aiki("schedules", "get", id)).stdout).toMatch(/\nstarted +1 runs, 1 skipped\n/);

  expect(await json("runs", "cancel", "--schedule", id, "--yes")).toEqual({ sent: 1, duplicate: 0 });

  expect((await aiki("schedules", "delete", id)).stdout).toBe(`Deleted ${id}.\n`);
  for (const verb of ["get", "delete", "pause", "resume", "trigger"]) {
    const { code, stderr } = await aiki("schedules", verb, id);
    expect([code, stderr]).toEqual([1, `NOT_FOUND There is no schedule ${id} in this namespace.\n`]);
  }
});

test("an interval has no time zone, and no other time than here", async () => {
  const { stdout } = await aiki("schedules", "create", "report@1.0.0", "--every", "36h", "--catch-up", "all");
  expect(stdout).toMatch(/\nfires +every 1 d 12 h\n/);
  expect(stdout).toMatch(/\nnext +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n/);
});

test("what cannot be read is refused with what to write instead", async () => {
  const { code, stderr } = await aiki("schedules", "create", "report@1.0.0", "--cron", "0 25 * * *");
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^CRON_INVALID The cron expression "0 25 \* \* \*" is refused: .*hour: 25\. Expected minute, hour/m,
  );
});

test.each([
  [["create", "w@1"], "say when it fires: --cron <expression> or --every <duration>"],
  [["create", "w@1", "--every", "1h", "--timezone", "UTC"], "--timezone belongs to --cron"],
  [["create", "w@1", "--every", "1h", "--cron", "0 9 * * 1"], "cannot be used with"],
  [["create", "w@1", "--every", "soon"], "Expected a number and a unit"],
  [["create", "w@1", "--every", "1h", "--overlap", "queue"], "Allowed choices are allow, skip, cancel_previous"],
])("wrong usage exits with 2: aiki schedules %j", async (args, text) => {
  const { code, stdout, stderr } = await aiki("schedules", ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(text);
});
