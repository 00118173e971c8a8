import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { client } from "@aikirun/client";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { aiki, ended, spawnAiki } from "./aiki.js";
import { makeProject, type Project } from "./app.js";

// Each command is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

let project: Project;
let app: ChildProcess | undefined;
const children: ChildProcess[] = [];

beforeAll(async () => {
  project = await makeProject();
});
afterAll(async () => {
  app?.kill("SIGKILL");
  for (const child of children) if (child.exitCode === null && child.signalCode === null) await stop(child, "SIGTERM");
  project.remove();
});

interface Dev {
  readonly child: ChildProcess;
  /** All that was printed until now. */
  output(): string;
  /** Resolves once a text was printed. */
  printed(text: string | RegExp): Promise<string>;
}

function startDev(args: readonly string[] = []): Dev {
  const child = spawnAiki(["dev", "--port", String(project.aikiPort), ...args], { cwd: project.folder });
  children.push(child);
  let output = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
      for (const look of waiting) look();
    });
  }
  const printed = (text: string | RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (typeof text === "string" ? !output.includes(text) : !text.test(output)) return;
        waiting.delete(look);
        resolve(output);
      };
      const fail = (what: string) => () => reject(new Error(`aiki dev ${what} ${text}:\n${output}`));
      child.once("exit", fail("ended before it printed"));
      setTimeout(fail("does not print"), 60_000).unref();
      waiting.add(look);
      look();
    });
  return { child, output: () => output, printed };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  // It may have ended by itself, and says so only once.
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill(signal);
  return exit;
}

const postgresPid = () =>
  Number.parseInt(readFileSync(join(project.folder, ".aiki/postgres/postmaster.pid"), "utf8"), 10);
const isRunning = (pid: number) => existsSync(`/proc/${pid}/stat`);
const env = () => ({ AIKI_URL: project.aikiUrl });

test("from nothing to a completed run, and a clean stop", async () => {
  const dev = startDev();
  const block = await dev.printed(`aiki ready ${project.aikiUrl}\n`);
  expect(block).toMatch(
    /^aiki \d+\.\d+\.\d+ {2}dev\n {2}api {8}http:\/\/localhost:\d+ +no key needed from this machine\n(?: {2}dashboard .*9851.*\n)? {2}data {7}\.aiki +Postgres 18/,
  );
  expect(block).toMatch(/endpoint {3}none yet: +looking for \/api\/aiki on ports .*npx aiki init/);
  expect(readFileSync(join(project.folder, ".aiki/.gitignore"), "utf8")).toBe("*\n");

  app = await project.startApp();
  await dev.printed(
    `endpoint   http://localhost:${project.appPort}/api/aiki endpoint · broken@1.0.0, gate@1.0.0, hello@1.0.0`,
  );

  const done = await aiki(["runs", "start", "hello", "--input", '{"name":"Ada"}', "--watch"], { env: env() });
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/✓ task {3}greet[\s\S]*✓ sleep {2}a-moment[\s\S]*✓ run[\s\S]*"greeting": "Hello, Ada!"/);
  await dev.printed(/✓ hello@1\.0\.0 +completed/);

  const failed = await aiki(["runs", "start", "broken", "--watch"], { env: env() });
  expect(failed.code).toBe(1);
  expect(failed.stdout).toContain("Error: on purpose");
  await dev.printed(/✗ broken@1\.0\.0 +failed .*on purpose/);

  const pid = postgresPid();
  expect(await stop(dev.child, "SIGINT")).toBe(0);
  expect(isRunning(pid)).toBe(false);
});

test("a run goes on after kill -9 and a new start on the same data", async () => {
  const before = startDev();
  await before.printed("aiki ready");
  const started = await aiki(["runs", "start", "gate@1.0.0", "--json"], { env: env() });
  const { id } = JSON.parse(started.stdout).run as { id: string };
  await stop(before.child, "SIGKILL");

  const after = startDev();
  expect(await after.printed("aiki ready")).toContain(`http://localhost:${project.appPort}/api/aiki`);
  const sent = await aiki(["runs", "send-event", id, "opened", "--data", '{"by":"Ada"}'], { env: env() });
  expect(sent).toMatchObject({ code: 0, stdout: `Sent opened to ${id}.\n` });
  const watched = await aiki(["runs", "watch", id, "--json"], { env: env() });
  expect(watched.code).toBe(0);
  const lines = watched.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.at(-1)).toMatchObject({ run: { id, status: "completed", output: { by: "Ada" } } });

  const listed = JSON.parse((await aiki(["runs", "list", "--json", "--status", "failed"], { env: env() })).stdout);
  expect(listed.runs).toMatchObject([{ workflow: "broken", status: "failed" }]);
  const pid = postgresPid();
  expect(await stop(after.child, "SIGTERM")).toBe(0);
  expect(isRunning(pid)).toBe(false);
});

test("a watch outlives a restart of the orchestrator", async () => {
  const before = startDev();
  await before.printed(`http://localhost:${project.appPort}/api/aiki`);
  const watch = spawnAiki(["runs", "start", "hello", "--input", '{"name":"Ada","sleepMs":2000}', "--watch"], {
    env: env(),
  });
  const end = ended(watch);
  const asleep = new Promise<"asleep">((resolve) => {
    let shown = "";
    watch.stdout?.on("data", (chunk) => {
      shown += chunk;
      if (shown.includes("sleep")) resolve("asleep");
    });
  });
  expect(await Promise.race([asleep, end])).toBe("asleep");
  await stop(before.child, "SIGKILL");
  const after = startDev();
  await after.printed("aiki ready");
  const { code, stdout } = await end;
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("Hello, Ada!") });
  expect(await stop(after.child, "SIGTERM")).toBe(0);
});

test("a second one says whose port or data it is", async () => {
  const first = startDev();
  await first.printed("aiki ready");
  const sameData = await aiki(["dev", "--port", "1"], { cwd: project.folder });
  expect(sameData).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^DATA_LOCKED .*\.aiki is in use by process \d+/),
  });
  const other = await makeProject();
  const samePort = await aiki(["dev", "--port", String(project.aikiPort)], { cwd: other.folder });
  other.remove();
  expect(samePort).toMatchObject({ code: 1, stdout: "" });
  expect(samePort.stderr).toMatch(
    new RegExp(
      `^PORT_IN_USE Port ${project.aikiPort} is used by \`aiki dev\` of .*dev-\\w+ \\(pid ${first.child.pid}\\)`,
    ),
  );
  expect(await stop(first.child, "SIGTERM")).toBe(0);
});

test("a named endpoint is insisted on, loudly", async () => {
  app?.kill("SIGKILL");
  const dev = startDev(["-u", `http://localhost:${project.appPort}/api/aiki`]);
  await dev.printed(/! CONNECTION_REFUSED .*\(again in 2 s\)/);
  await dev.printed("aiki ready");
  app = await project.startApp();
  await dev.printed(`endpoint   http://localhost:${project.appPort}/api/aiki endpoint · broken@1.0.0`);
  expect(await stop(dev.child, "SIGTERM")).toBe(0);
});

test("r and Enter look again: an endpoint that was removed is back", async () => {
  const dev = startDev();
  await dev.printed(`http://localhost:${project.appPort}/api/aiki`);
  const api = client({ url: project.aikiUrl });
  const [endpoint] = await api.listEndpoints();
  await aiki(["endpoints", "remove", endpoint?.url ?? ""], { env: env() });
  expect(await api.listEndpoints()).toEqual([]);
  dev.child.stdin?.write("r\n");
  while ((await api.listEndpoints()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await stop(dev.child, "SIGTERM")).toBe(0);
});

test("a database that dies ends it with a line that says where to look", async () => {
  const dev = startDev();
  await dev.printed("aiki ready");
  const exit = new Promise((resolve) => dev.child.once("exit", resolve));
  process.kill(postgresPid(), "SIGKILL");
  expect(await exit).toBe(1);
  expect(dev.output()).toMatch(
    /DATABASE_UNAVAILABLE The embedded Postgres has ended\. .*\.aiki\/postgres\.log says why\./,
  );
});

test("a wrong setting stops it with one line that names it", async () => {
  const { code, stderr } = await aiki(["dev"], { cwd: project.folder, env: { AIKI_LEASE_MS: "soon" } });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^SETTING_INVALID AIKI_LEASE_MS [^\n]*\n$/),
  });
});
