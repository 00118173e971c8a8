import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lockData } from "../../src/shell/data-lock.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aiki-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("has one owner at a time", async () => {
  const unlock = await lockData(folder);
  await expect(lockData(folder)).rejects.toMatchObject({
    code: "DATA_LOCKED",
    message: expect.stringContaining(`process ${process.pid}`),
  });
  await unlock();
  expect(await readdir(folder)).toEqual([]);
  await (await lockData(folder))();
});

it.each([
  ["is dead", () => ({ pid: spawnSync("true").pid })],
  ["has left its number to another process", () => ({ pid: process.ppid, started: "1" })],
  ["had our own number", () => ({ pid: process.pid })],
])("takes over from an owner that %s", async (_, owner) => {
  await writeFile(join(folder, "lock"), JSON.stringify(owner()));
  const unlock = await lockData(folder);
  expect(JSON.parse(await readFile(join(folder, "lock"), "utf8"))).toMatchObject({ pid: process.pid });
  await unlock();
  expect(await readdir(folder)).toEqual([]);
});

it("takes over a lock that was cut short", async () => {
  await writeFile(join(folder, "lock"), '{"pid":');
  await (await lockData(folder))();
  await writeFile(join(folder, "lock"), "");
  await (await lockData(folder))();
});

it("refuses while another process lives", async () => {
  await writeFile(join(folder, "lock"), JSON.stringify({ pid: process.ppid }));
  await expect(lockData(folder)).rejects.toMatchObject({ code: "DATA_LOCKED", details: { pid: process.ppid } });
});
