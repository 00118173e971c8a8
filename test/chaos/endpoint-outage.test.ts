import { setTimeout as delay } from "node:timers/promises";
import type { Trouble } from "@aikirun/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../server/test/store/database.js";
import { type Fleet, startFleet } from "./fleet.js";
import { type Fault, type Front, RETRY_AFTER_S, startFront } from "./front.js";
import { startRun, untilAllEnded } from "./runs.js";
import { readLog, startsIn } from "./side-effects.js";
import { type Started, violations } from "./verify.js";

const TIMEOUT_MS = 120_000;
const TASKS = 2;
/** Pause before delivery n + 1: at least this, doubled each time. A timer may ring a millisecond early. */
const LEAST_PAUSE_MS = 50;
const EARLY_MS = 2;

interface Case {
  readonly fault: Fault;
  readonly what: string;
  readonly code: string;
  readonly says: RegExp;
  /** The push arrives and its answer does not, so that its task has run. */
  readonly executes?: true;
}

const CASES: readonly Case[] = [
  { fault: "down", what: "is down", code: "CONNECTION_REFUSED", says: /refused the connection/ },
  { fault: "html", what: "answers with a web page", code: "BAD_ANSWER", says: /text\/html/ },
  { fault: "error", what: "answers 500", code: "ENDPOINT_ERROR", says: /answered 500/ },
  { fault: "busy", what: "answers 429 with Retry-After", code: "BUSY", says: /answered 429/ },
  { fault: "redirect", what: "redirects", code: "REDIRECT", says: /redirects \(307\).*never follow/ },
  { fault: "half", what: "sends half a body", code: "BODY_TRUNCATED", says: /before sending them/, executes: true },
];

describe("an endpoint that fails", () => {
  let database: TestDatabase;
  let front: Front;
  let fleet: Fleet;
  const started: Started[] = [];
  beforeAll(async () => {
    database = await testDatabase();
    fleet = await startFleet({
      databaseUrl: database.url,
      replicas: 1,
      front: async (appUrl) => {
        front = await startFront(appUrl);
        return front.url;
      },
    });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await front?.close();
    await fleet?.stop();
    await database?.close();
  });

  test.each(CASES)(
    "$what: the run waits, says why, backs off, and completes with every attempt left",
    {
      timeout: TIMEOUT_MS,
    },
    async ({ fault, code, says, executes }) => {
      await front.fail(fault);
      const run = await startRun(fleet.replicas, { tasks: TASKS, start: 5, workMs: 1 });
      started.push(run);
      const trouble = await untilInTrouble(fleet, run.id);
      expect(trouble).toMatchObject({ code, message: expect.stringMatching(says) });
      const pauses = gaps(front.arrivals.get(run.id) ?? []);
      for (const [n, pause] of pauses.entries()) {
        const least = Math.max(LEAST_PAUSE_MS * 2 ** n, fault === "busy" ? RETRY_AFTER_S * 1_000 : 0);
        expect(pause).toBeGreaterThanOrEqual(least - EARLY_MS);
      }
      if (!executes) expect(startsIn(readLog(fleet.log)).filter(({ runId }) => runId === run.id)).toEqual([]);

      await front.heal();
      await untilAllEnded(database.pool, TIMEOUT_MS);
      const log = readLog(fleet.log);
      // Also that no attempt was used up, and that every task was recorded once.
      expect(await violations(database.pool, started, log)).toEqual([]);
      const executions = startsIn(log).filter(({ runId }) => runId === run.id).length;
      if (executes) expect(executions).toBeGreaterThan(TASKS);
      else expect(executions).toBe(TASKS);
      expect((await fleet.aiki.getRun(run.id)).trouble).toBeUndefined();
      expect(front.followed()).toBe(0);
    },
  );
});

/** The reason is on the run once it is parked; until then its holder tries again by itself. */
async function untilInTrouble(fleet: Fleet, runId: string): Promise<Trouble> {
  for (;;) {
    const { trouble, status } = await fleet.aiki.getRun(runId);
    expect(["running", "queued"]).toContain(status);
    if (trouble && trouble.deliveries >= 3) return trouble;
    await delay(50);
  }
}

function gaps(instants: readonly number[]): number[] {
  return instants.slice(1).map((instant, i) => instant - (instants[i] ?? 0));
}
