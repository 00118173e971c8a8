import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { newId } from "@aikirun/protocol";
import { migrate, startEmbeddedPostgres } from "@aikirun/server";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { type Fleet, startFleet } from "./fleet.js";
import { type PostgresProxy, startPostgresProxy } from "./postgres-proxy.js";
import { startRun, untilAllEnded } from "./runs.js";
import { readLog, startsIn } from "./side-effects.js";
import { type Started, violations } from "./verify.js";
import { type ChainInput, chainV1 } from "./workflows.js";

const TIMEOUT_MS = 180_000;
const AWAY_MS = 10_000;
const RUNS = 30;
/** Long enough that every run is under way when the database goes, and has work left when it is back. */
const INPUT: ChainInput = { tasks: 20, start: 7, workMs: 500 };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Outage {
  readonly proxy: PostgresProxy;
  readonly fleet: Fleet;
  /** The database itself, not through the proxy, once it is there again. */
  readonly url: () => string;
  /** Takes the database away; resolves once it is. What it returns brings it back. */
  readonly begin: () => Promise<() => Promise<void>>;
}

/** A server of the test's own, because nobody else's may be killed. */
async function prepare(kind: "unreachable" | "killed"): Promise<Outage> {
  const folder = await mkdtemp(join(tmpdir(), "aiki-outage-"));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  let postgres = await startEmbeddedPostgres(folder);
  closers.push(() => postgres.close());
  await migrate(postgres.url);
  const proxy = await startPostgresProxy(postgres.url);
  closers.push(() => proxy.close());
  const fleet = await startFleet({ databaseUrl: proxy.url, replicas: 1 });
  closers.push(() => fleet.stop());
  return {
    proxy,
    fleet,
    url: () => postgres.url,
    async begin() {
      if (kind === "unreachable") {
        await proxy.down();
        return () => proxy.up();
      }
      process.kill(Number.parseInt(await readFile(join(folder, "postgres", "postmaster.pid"), "utf8"), 10), "SIGKILL");
      await postgres.close();
      return async () => {
        postgres = await startAgain(folder);
        proxy.target(postgres.url);
      };
    },
  };
}

/** The processes that served connections notice the end of their parent a moment later. */
async function startAgain(folder: string) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startEmbeddedPostgres(folder);
    } catch (error) {
      if (attempt === 10) throw error;
      await delay(500);
    }
  }
}

test.each(["unreachable", "killed"] as const)(
  "the database is %s for ten seconds: 503, nothing acknowledged is lost, work goes on in the same process",
  {
    timeout: TIMEOUT_MS,
  },
  async (kind) => {
    const { fleet, url, begin } = await prepare(kind);
    const { pid } = fleet.replicas[0] as Fleet["replicas"][number];
    const started: Started[] = await Promise.all(Array.from({ length: RUNS }, () => startRun(fleet.replicas, INPUT)));
    await untilWorking(fleet);

    const bringBack = await begin();
    const goneAt = performance.now();
    const refused: Started[] = [];
    while (performance.now() - goneAt < AWAY_MS) {
      const run = { id: newId("run"), input: { tasks: 2, start: refused.length, workMs: 10 } };
      expect(await ask(fleet, "POST", "/v1/runs", bodyOf(run))).toEqual(UNAVAILABLE);
      expect(await ask(fleet, "GET", `/v1/runs/${started[0]?.id}`)).toEqual(UNAVAILABLE);
      expect(await ask(fleet, "GET", "/ready")).toEqual(UNAVAILABLE);
      refused.push(run);
      await delay(1_000);
    }
    expect(await ask(fleet, "GET", "/health")).toMatchObject({ status: 200 });
    await bringBack();

    // Refused, and never lost either: the same request again is the one that counts.
    for (const run of refused) await fleet.aiki.startRun(bodyOf(run)).catch(() => startAgainSoon(fleet, run));
    const pool = new pg.Pool({ connectionString: url(), max: 2 });
    closers.push(() => pool.end());
    await untilAllEnded(pool, TIMEOUT_MS);
    const log = readLog(fleet.log);
    expect(await violations(pool, [...started, ...refused], log)).toEqual([]);
    const tasks = RUNS * INPUT.tasks + refused.length * 2;
    console.log(`${kind}: ${refused.length} starts refused, ${startsIn(log).length} executions of ${tasks} tasks`);
    // The leases outlast the outage, so that results that could not be written were kept and are written now. What runs
    // again is at most what a statement was under way for whose outcome nobody learned: one for each run.
    expect(startsIn(log).length).toBeGreaterThanOrEqual(tasks);
    expect(startsIn(log).length).toBeLessThanOrEqual(tasks + RUNS);
    expect(processIsThere(pid)).toBe(true);
  },
);

const UNAVAILABLE = { status: 503, code: "DATABASE_UNAVAILABLE", retryAfter: expect.stringMatching(/^[1-9]\d*$/) };

function bodyOf({ id, input }: Started) {
  return { id, workflow: chainV1.name, version: chainV1.versionId, input: { ...input } };
}

/** The connections that were cut are replaced a moment after the database is back. */
async function startAgainSoon(fleet: Fleet, run: Started): Promise<void> {
  await delay(1_000);
  await fleet.aiki.startRun(bodyOf(run));
}

async function ask(fleet: Fleet, method: string, path: string, body?: object) {
  const response = await fetch(`${fleet.replicas[0]?.url}${path}`, {
    method,
    headers: { ...fleet.headers, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  const { error } = (await response.json()) as { error?: { code: string } };
  return { status: response.status, code: error?.code, retryAfter: response.headers.get("retry-after") };
}

async function untilWorking(fleet: Fleet): Promise<void> {
  while (new Set(startsIn(readLog(fleet.log)).map(({ runId }) => runId)).size < RUNS) await delay(50);
}

function processIsThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
