import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processExists } from "../../src/shell/data-lock.js";
import { startEmbeddedPostgres } from "../../src/shell/embedded-postgres.js";

const OWNER = fileURLToPath(new URL("./fixtures/own-postgres.mjs", import.meta.url));

let folder: string;
let owners: ChildProcess[];
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "aiki-embedded-")), ".aiki");
  owners = [];
});
afterEach(async () => {
  for (const owner of owners) owner.kill("SIGKILL");
  const pid = await serverPid();
  await untilGone(pid);
  await rm(join(folder, ".."), { recursive: true, force: true });
});

describe("the embedded Postgres", () => {
  it("keeps its data from start to start, in a folder that git ignores", async () => {
    const first = await startEmbeddedPostgres(folder);
    await query(first.url, "CREATE TABLE kept AS SELECT 42 AS answer");
    const { rows } = await query(first.url, "SHOW listen_addresses");
    expect(rows).toEqual([{ listen_addresses: "127.0.0.1" }]);
    await expect(query(first.url.replace(/:[^:@]*@/, ":wrong@"), "SELECT 1")).rejects.toThrow(/password/);
    await first.close();
    await first.exited;
    expect(await readFile(join(folder, ".gitignore"), "utf8")).toBe("*\n");
    expect(await readFile(join(folder, "postgres.log"), "utf8")).toContain("database system is shut down");

    const second = await startEmbeddedPostgres(folder);
    expect((await query(second.url, "SELECT answer FROM kept")).rows).toEqual([{ answer: 42 }]);
    expect(await readFile(join(folder, "postgres.log"), "utf8")).not.toContain("not properly shut down");
    await second.close();
  });

  it("refuses a second owner, and names the first", async () => {
    const { owner, line } = await startOwner();
    expect(line).toMatch(/^postgres:/);
    await expect(startEmbeddedPostgres(folder)).rejects.toMatchObject({
      code: "DATA_LOCKED",
      message: expect.stringContaining(`process ${owner.pid}`),
    });
    expect((await query(line, "SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  it("refuses a second owner in the same process", async () => {
    const first = await startEmbeddedPostgres(folder);
    await expect(startEmbeddedPostgres(folder)).rejects.toMatchObject({ code: "DATA_LOCKED" });
    expect((await startOwner()).line).toBe("DATA_LOCKED");
    await first.close();
    const again = await startEmbeddedPostgres(folder);
    await again.close();
  });

  it("has what was acknowledged after its owner was killed, and does not outlive it", async () => {
    const { owner, line } = await startOwner();
    await query(line, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n");
    const pid = await serverPid();
    owner.kill("SIGKILL");
    await once(owner, "exit");
    const again = await startEmbeddedPostgres(folder);
    expect((await query(again.url, "SELECT count(*)::int AS n FROM kept")).rows).toEqual([{ n: 1000 }]);
    await again.close();
    expect(processExists(pid)).toBe(false);
  });

  it("stops a server that was left behind by an owner that was killed with all its helpers", async () => {
    const { owner, line } = await startOwner();
    await query(line, "CREATE TABLE kept AS SELECT 42 AS answer");
    const orphan = await serverPid();
    for (const helper of childrenOf(owner)) if (helper !== orphan) process.kill(helper, "SIGKILL");
    owner.kill("SIGKILL");
    await once(owner, "exit");
    expect((await query(line, "SELECT answer FROM kept")).rows).toEqual([{ answer: 42 }]);

    const again = await startEmbeddedPostgres(folder);
    expect(processExists(orphan)).toBe(false);
    expect((await query(again.url, "SELECT answer FROM kept")).rows).toEqual([{ answer: 42 }]);
    await again.close();
  });

  it("recovers after the server itself was killed", async () => {
    const first = await startEmbeddedPostgres(folder);
    await query(first.url, "CREATE TABLE kept AS SELECT 42 AS answer");
    process.kill(await serverPid(), "SIGKILL");
    await first.exited;
    await first.close();
    const again = await startEmbeddedPostgres(folder);
    expect((await query(again.url, "SELECT answer FROM kept")).rows).toEqual([{ answer: 42 }]);
    await again.close();
  });

  it("is not misled by what a start that was killed left behind", async () => {
    await mkdir(join(folder, "postgres.new"), { recursive: true });
    await writeFile(join(folder, "postgres.new", "PG_VERSION"), "18\n");
    const first = await startEmbeddedPostgres(folder);
    await first.close();
    // A number that is somebody else's by now.
    await writeFile(join(folder, "postgres", "postmaster.pid"), `${process.pid}\n${join(folder, "postgres")}\n0\n1\n`);
    const again = await startEmbeddedPostgres(folder);
    expect((await query(again.url, "SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await again.close();
  });
});

async function startOwner(): Promise<{ owner: ChildProcess; line: string }> {
  const owner = spawn(process.execPath, [OWNER, folder], { stdio: ["ignore", "pipe", "inherit"] });
  owners.push(owner);
  const lines = createInterface({ input: owner.stdout as NonNullable<typeof owner.stdout> });
  const [line] = (await once(lines, "line")) as [string];
  return { owner, line };
}

async function serverPid(): Promise<number> {
  const text = await readFile(join(folder, "postgres", "postmaster.pid"), "utf8").catch(() => "");
  return Number.parseInt(text, 10) || 0;
}

function childrenOf(owner: ChildProcess): number[] {
  const list = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const rows = list
    .trim()
    .split("\n")
    .map((row) => row.trim().split(/\s+/).map(Number));
  return rows.filter(([, parent]) => parent === owner.pid).map(([pid]) => pid as number);
}

async function untilGone(pid: number): Promise<void> {
  while (pid > 0 && pid !== process.pid && processExists(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function query(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}
