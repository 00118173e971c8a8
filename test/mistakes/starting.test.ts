/** Programs that do not start, and a clock that is wrong beside one that did. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { freePort, Program } from "../../scripts/processes.js";
import { root } from "../../scripts/workspaces.js";
import { aiki } from "../../sdk/cli/test/aiki.js";
import { SCHEMA_VERSION } from "../../server/src/store/postgres/migrate.js";
import { testDatabase } from "../../server/test/store/database.js";
import { app, at, hello, listen } from "./stage.js";

const READY_MS = 60_000;

describe("beside an `aiki dev` that runs", { timeout: 2 * READY_MS }, () => {
  let folder: string;
  let port: number;
  let running: Program;
  beforeAll(async () => {
    mkdirSync(join(root, ".tmp"), { recursive: true });
    folder = mkdtempSync(join(root, ".tmp", "mistakes-"));
    port = await freePort();
    const args = [join(root, "sdk/cli/dist/bin.js"), "dev", "--port", String(port)];
    running = new Program({ name: "aiki dev", cwd: folder, args });
    await running.line(/^aiki ready /, READY_MS);
  }, READY_MS);
  afterAll(async () => {
    await running?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("PORT_IN_USE: another one on the same port", async () => {
    const { url, close } = await testDatabase();
    onTestFinished(close);
    const second = await aiki(["dev", "--port", String(port)], { cwd: root, env: { DATABASE_URL: url } });
    expect(second).toEqual({
      code: 1,
      stdout: "",
      stderr: `PORT_IN_USE Port ${port} is used by \`aiki dev\` of ${tilde(folder)} (pid ${running.pid}). Stop it, or: aiki dev --port ${port + 10} and AIKI_URL=http://localhost:${port + 10} in this app.\n`,
    });
  });

  test("PORT_IN_USE: another program on the port", async () => {
    const taken = new URL(await listen((_request, response) => response.end("not Aiki"))).port;
    const { url, close } = await testDatabase();
    onTestFinished(close);
    const other = Number(taken) + 10;
    expect(await aiki(["dev", "--port", taken], { cwd: root, env: { DATABASE_URL: url } })).toEqual({
      code: 1,
      stdout: "",
      stderr: `PORT_IN_USE Port ${taken} is used by another program. Stop it, or: aiki dev --port ${other} and AIKI_URL=http://localhost:${other} in this app.\n`,
    });
  });

  test("DATA_LOCKED: another one on the same data", async () => {
    const second = await aiki(["dev", "--port", String(await freePort())], { cwd: folder });
    expect(second).toEqual({
      code: 1,
      stdout: "",
      stderr: `DATA_LOCKED The data in ${join(folder, ".aiki")} is in use by process ${running.pid}. Stop that process, or choose another folder with --data.\n`,
    });
  });

  test.each([
    { clock: "slow", offMs: -10 * 60_000, advice: "Set the slower clock." },
    {
      clock: "fast",
      offMs: 10 * 60_000,
      advice: "Set the faster clock; if both are right, the push was long on its way.",
    },
  ])("CLOCK_SKEW: the app's clock is $clock", async ({ offMs, advice }) => {
    const { url: AIKI_URL, aiki } = at(`http://localhost:${port}`);
    const { url, log } = await app([hello], { AIKI_URL });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + offMs });
    onTestFinished(() => void vi.useRealTimers());
    const { code, stderr } = await aiki("endpoints", "register", url);
    vi.useRealTimers();
    const [signedAt = "", expiresAt = "", appAt = ""] = stderr.match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z/g) ?? [];
    const text = `CLOCK_SKEW The push was signed at ${signedAt} and expires at ${expiresAt}; this app's clock says ${appAt}. ${advice}`;
    expect({ code, stderr }).toEqual({ code: 1, stderr: `${text}\n` });
    expect(log).toEqual([text]);
    const seenMs = Date.parse(appAt) - Date.parse(signedAt);
    expect(Math.abs(seenMs - offMs)).toBeLessThan(READY_MS);
  });
});

test("SCHEMA_TOO_OLD: `aiki start` before `aiki migrate`", async () => {
  const { url, close } = await testDatabase({ empty: true });
  onTestFinished(close);
  const env = {
    DATABASE_URL: url,
    AIKI_SECRET: Buffer.alloc(32, 7).toString("base64"),
    AIKI_ADMIN_KEY: "k".repeat(24),
    PORT: String(await freePort()),
  };
  expect(await aiki(["start"], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(
      `^SCHEMA_TOO_OLD The database has no Aiki schema yet; this version of Aiki needs ${SCHEMA_VERSION}\\. ` +
        "Missing: 0001_start\\.sql, .+\\.sql\\. Run `aiki migrate`\\.\n$",
    ),
  });
});

/** The command writes a person's own folder so. */
function tilde(path: string): string {
  const home = process.env["HOME"] ?? "";
  return home !== "" && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
