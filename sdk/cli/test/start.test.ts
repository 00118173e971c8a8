import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@aikirun/server";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { aiki, ended, spawnAiki } from "./aiki.js";

// Each command is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 });

const ADMIN_KEY = "an-admin-key-of-24-characters";
let folder: string;
let postgres: EmbeddedPostgres;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "aiki-start-"));
  postgres = await startEmbeddedPostgres(folder);
  const probe = createServer();
  const port = await new Promise<number>((resolve) => {
    probe.listen(0, () => resolve((probe.address() as AddressInfo).port));
  });
  await new Promise((resolve) => probe.close(resolve));
  env = {
    DATABASE_URL: postgres.url,
    AIKI_SECRET: randomBytes(32).toString("base64"),
    PORT: String(port),
    AIKI_URL: `http://localhost:${port}`,
  };
});
afterAll(async () => {
  await postgres.close();
  rmSync(folder, { recursive: true, force: true });
});

test("what stops aiki start is one line with a code and what to do", async () => {
  const { AIKI_SECRET: _, ...withoutSecret } = env;
  const cases: [Record<string, string>, RegExp][] = [
    [withoutSecret, /^SETTING_INVALID AIKI_SECRET .*openssl rand -base64 32/],
    [env, /^SCHEMA_TOO_OLD .*Run `aiki migrate`/],
    [{ ...env, AIKI_SECRETT: "x" }, /^SETTING_INVALID AIKI_SECRETT .*AIKI_SECRET/],
    [{ ...env, DATABASE_URL: "postgres://nobody:hunter2@127.0.0.1:1/x" }, /^DATABASE_UNAVAILABLE .*ECONNREFUSED/],
  ];
  for (const [environment, line] of cases) {
    const { code, stdout, stderr } = await aiki(["start"], { env: environment });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(line);
    expect(stderr.trim()).not.toContain("\n");
    expect(stderr).not.toContain("hunter2");
  }
});

test("migrate --check tells, migrate does, and twice does no harm", async () => {
  const missing = await aiki(["migrate", "--check"], { env });
  expect(missing).toMatchObject({ code: 1, stdout: expect.stringMatching(/^Missing: 0001_.*Run `aiki migrate`/) });
  expect(await aiki(["migrate"], { env })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Applied 0001_/) });
  const again = await aiki(["migrate", "--json"], { env });
  expect(JSON.parse(again.stdout)).toEqual({ applied: [] });
  expect(await aiki(["migrate", "--check"], { env })).toMatchObject({ code: 0, stdout: "The schema is up to date.\n" });
});

test("migrate --restored raises the epoch, and is no check", async () => {
  const raised = await aiki(["migrate", "--restored", "--json"], { env });
  expect(JSON.parse(raised.stdout)).toEqual({ applied: [], epoch: 2 });
  const told = await aiki(["migrate", "--restored"], { env });
  expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining("Epoch 3 begins") });
  expect(await aiki(["migrate", "--restored", "--check"], { env })).toMatchObject({ code: 2 });
});

test("it refuses to run open; with an admin key it hands out keys that can be revoked", async () => {
  expect(await aiki(["start"], { env })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^OPEN_SERVER .*AIKI_ADMIN_KEY/),
  });

  // A database that says what a crash of its machine may cost is warned of, in the log.
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query("ALTER SYSTEM SET full_page_writes = off");
  await admin.query("SELECT pg_reload_conf()");
  await admin.end();
  const server = spawnAiki(["start"], { env: { ...env, AIKI_ADMIN_KEY: ADMIN_KEY } });
  const end = ended(server);
  await new Promise<void>((resolve) =>
    server.stdout?.on("data", (chunk) => String(chunk).includes("aiki ready") && resolve()),
  );

  const nobody = await aiki(["workflows"], { env });
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringMatching(/^UNAUTHORIZED .*AIKI_API_KEY is missing/) });

  const created = await aiki(["keys", "create", "--name", "ci", "--scope", "read", "--api-key", ADMIN_KEY], { env });
  expect(created.stdout).toMatch(/^aiki_\w+\n$/);
  const AIKI_API_KEY = created.stdout.trim();
  const id = /key_\w+/.exec(created.stderr)?.[0] ?? "";
  expect(await aiki(["workflows", "--json"], { env: { ...env, AIKI_API_KEY } })).toMatchObject({
    code: 0,
    stdout: '{"workflows":[]}\n',
  });
  const tooMuch = await aiki(["endpoints", "register", "https://x.example/api/aiki"], {
    env: { ...env, AIKI_API_KEY },
  });
  expect(tooMuch).toMatchObject({ code: 1, stderr: expect.stringMatching(/^FORBIDDEN /) });

  const doctor = await aiki(["doctor", "--json"], { env: { ...env, AIKI_API_KEY } });
  const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; ok: boolean }[] };
  expect(findings.filter((one) => !one.ok).map((one) => one.check)).toEqual(["endpoint"]);
  expect(findings.find((one) => one.check === "DATABASE_URL")?.ok).toBe(true);

  const pinned = await aiki(["keys", "public"], { env });
  expect(pinned.stdout).toMatch(/^ed25519:[\w-]{43}(,ed25519:[\w-]{43})*\n$/);

  expect(await aiki(["keys", "revoke", id, "--api-key", ADMIN_KEY], { env })).toMatchObject({ code: 0 });
  const keys = JSON.parse((await aiki(["keys", "list", "--json", "--api-key", ADMIN_KEY], { env })).stdout);
  expect(keys.keys).toMatchObject([{ id, name: "ci", scope: "read", revokedAt: expect.any(Number) }]);
  const table = await aiki(["keys", "list", "--api-key", ADMIN_KEY], { env });
  expect(table.stdout).toMatch(/revoked \d{4}-/);

  server.kill("SIGTERM");
  const { code, stdout, stderr } = await end;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `aiki ready ${env.AIKI_URL}\n` });
  expect(stderr).toContain("full_page_writes = off");
  for (const line of stderr.split("\n").filter((line) => line !== ""))
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) });
});

test("aiki dev on a database of one's own makes none, and never prints its password", async () => {
  const { PORT, ...settings } = env as { PORT: string; DATABASE_URL: string; AIKI_SECRET: string };
  const cwd = mkdtempSync(join(tmpdir(), "aiki-own-"));
  // Another secret than the one that sealed this database's keys cannot open them.
  const { DATABASE_URL } = settings;
  const stranger = await aiki(["dev", "--port", PORT], { cwd, env: { DATABASE_URL } });
  expect(stranger).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^SETTING_INVALID AIKI_SECRET: .*another secret/),
  });
  const child = spawnAiki(["dev", "--port", PORT], { cwd, env: settings });
  const end = ended(child);
  child.stdout?.on("data", (chunk) => String(chunk).includes("aiki ready") && child.kill("SIGTERM"));
  const { code, stdout } = await end;
  expect(code).toBe(0);
  const url = new URL(DATABASE_URL);
  expect(stdout).toMatch(new RegExp(`data {7}${url.host}/aiki +from DATABASE_URL`));
  expect(stdout).not.toContain(url.password);
  expect(readdirSync(join(cwd, ".aiki")).sort()).toEqual([".gitignore", "secret"]);
  rmSync(cwd, { recursive: true });
});
