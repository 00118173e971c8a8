/** A user's test of a trial, from packed tarballs, in the test runners that users have. */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../scripts/workspaces.js";
import { type Sandbox, sandbox, usersNode } from "./sandbox.js";

let packed: Sandbox;
beforeAll(() => {
  packed = sandbox();
  writeFileSync(join(packed.folder, "package.json"), '{ "name": "app", "private": true }');
  // Of a runner, an application sees only what its tests import.
  const vitest = join(packed.folder, "node_modules/vitest");
  mkdirSync(dirname(vitest), { recursive: true });
  symlinkSync(join(root, "node_modules/vitest"), vitest, "dir");
});
afterAll(() => packed.remove());

const trial = (lasts: number) => `
const closeAccess = task({ name: "close-access", handler: async () => { throw new Error("not in a test"); } });
const trialV1 = workflow({ name: "trial" }).v("1.0.0", {
  async handler(run, account) {
    const payment = await run.events.paid.wait({ timeout: { days: ${lasts} } });
    if (payment.timeout) await closeAccess.start(run, account);
    return payment.timeout ? "free" : payment.data;
  },
  events: { paid: event() },
});
test("a trial of 14 days", async () => {
  const aiki = testAiki({ workflows: [trialV1], tasks: [mock(closeAccess, () => {})] });
  const run = await aiki.start(trialV1, "ada");
  await aiki.advance({ days: 13, hours: 23 });
  equal((await run.refresh()).status, "suspended");
  await aiki.advance({ hours: 1 });
  equal(aiki.calls(closeAccess).length, 1);
  equal(await run.result(), "free");
  await trialV1.startMany(aiki.client, Array.from({ length: 50 }, () => "eve"));
  await aiki.settle();
  equal(aiki.calls(closeAccess).length, 51);
});
`;
const importing = (runner: string) => `
import { event, task, workflow } from "@aikirun/workflow";
import { mock, testAiki } from "@aikirun/testing";
import { equal } from "node:assert/strict";
${runner}`;
const requiring = (runner: string) => `
const { event, task, workflow } = require("@aikirun/workflow");
const { mock, testAiki } = require("@aikirun/testing");
const { equal } = require("node:assert/strict");
${runner}`;

const VM_MODULES = "--experimental-vm-modules";
const bin = (path: string) => join(root, "node_modules", path);
const jest = (file: string) => [bin("jest/bin/jest.js"), "--rootDir", ".", "--testMatch", `**/${file}`];
const any = ["--moduleFileExtensions", "mjs", "cjs", "js", "json"];

const runners = [
  {
    // This version of it needs a newer Node than Aiki does.
    name: "vitest",
    file: "vitest/trial.test.mjs",
    head: importing(`import { test } from "vitest";`),
    node: { path: process.execPath, version: process.version },
    args: (file: string) => [bin("vitest/vitest.mjs"), "run", file],
  },
  {
    name: "node:test, imported",
    file: "node/trial.test.mjs",
    head: importing(`import { test } from "node:test";`),
    node: usersNode(),
    args: (file: string) => ["--test", file],
  },
  {
    name: "node:test, required",
    file: "node/trial.test.cjs",
    head: requiring(`const { test } = require("node:test");`),
    node: usersNode(),
    args: (file: string) => ["--test", file],
  },
  {
    name: "jest, imported",
    file: "jest/trial.test.mjs",
    head: importing(""),
    node: usersNode(),
    args: (file: string) => [VM_MODULES, ...jest(file), ...any],
  },
  {
    // Jest requires ES modules from Node 24.9 on.
    name: "jest, required",
    file: "jest/trial.test.cjs",
    head: requiring(""),
    node: { path: process.execPath, version: process.version },
    args: (file: string) => [VM_MODULES, ...jest(file), ...any],
  },
];

describe.each(runners)("$name on Node $node.version", ({ file, head, node, args }) => {
  const run = (lasts: number) => {
    const path = join(packed.folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, head + trial(lasts));
    // As in a shell of the user's: nothing of the runner around this one.
    const { VITEST: _, NODE_OPTIONS: __, NODE_TEST_CONTEXT: ___, JEST_WORKER_ID: ____, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(node.path, args(file), { cwd: packed.folder, encoding: "utf8", env });
    return { status, told: stdout + stderr };
  };

  it("passes, and fails when the trial is too short", () => {
    const right = run(14);
    expect(right).toMatchObject({ status: 0, told: expect.stringMatching(/pass/i) });
    // Node 20 warns of many listeners of one signal.
    expect(right.told).not.toMatch(/MaxListeners/);
    expect(run(13)).toMatchObject({ status: 1, told: expect.stringContaining("completed") });
  });
});
