/** Real processes on a real Postgres, killed as they go: every instant of every schedule is one run, and none is early. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { scheduledRunId } from "@aikirun/protocol";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { fireSchedules } from "../../src/dispatch/schedules.js";
import type { NewSchedule, Store } from "../../src/store/port.js";
import { openPostgresStore } from "../../src/store/postgres/store.js";
import { newSchedule } from "../store/conformance/arena.js";
import { type TestDatabase, testDatabase } from "../store/database.js";

const SCHEDULES = 100;
const PROCESSES = 3;
const KILLS = 9;
const KILL_EVERY_MS = 1_000;
const EVERY_MS = 1_000;
const FIXTURE = fileURLToPath(new URL("fixtures/fire-schedules.mjs", import.meta.url));

let db: TestDatabase;
let store: Store;
beforeAll(async () => {
  db = await testDatabase();
  ({ store } = await openPostgresStore({ url: db.url }));
});
afterAll(async () => {
  await store.close();
  await db.close();
});

it(`${PROCESSES} processes race for ${SCHEDULES} schedules and are killed again and again`, {
  timeout: 120_000,
}, async () => {
  const schedules = await activateAll();
  const fleet = new Fleet();
  onTestFinished(async () => void (await fleet.stop()));
  await fleet.race();
  const firesByProcesses = await fleet.stop();
  // Whoever comes last makes up for what nobody was left to fire.
  await fireSchedules({ store });
  const runs = await runsBySchedule();
  let total = 0;
  for (const { id, anchorAt } of schedules) {
    const after = await store.getSchedule("default", id);
    const nextAt = after?.nextAt ?? 0;
    const instants = Array.from(
      { length: (nextAt - anchorAt) / EVERY_MS - 1 },
      (_, i) => anchorAt + (i + 1) * EVERY_MS,
    );
    const mine = runs.get(id) ?? new Map<string, number>();
    expect([...mine.keys()].sort()).toEqual(instants.map((at) => scheduledRunId(id, at)).sort());
    expect(after?.started).toBe(instants.length);
    for (const at of instants) expect(mine.get(scheduledRunId(id, at))).toBeGreaterThanOrEqual(at);
    total += instants.length;
  }
  // It was a race: much of it was fired by the processes, and they were killed while it went on.
  expect(total).toBeGreaterThanOrEqual(SCHEDULES * (KILLS / 2));
  expect(firesByProcesses).toBeGreaterThan(SCHEDULES);
});

async function activateAll(): Promise<NewSchedule[]> {
  const now = store.now().latest;
  const recurrence = { type: "interval", everyMs: EVERY_MS } as const;
  const schedules = Array.from({ length: SCHEDULES }, (_, i) => {
    // Half of them all at once, the others one after the other.
    const anchorAt = now + (i % 2 === 0 ? 0 : i * 10);
    return newSchedule({ recurrence, catchUp: "all", anchorAt, nextAt: anchorAt + EVERY_MS });
  });
  await Promise.all(schedules.map((schedule) => store.activate(schedule, SCHEDULES)));
  return schedules;
}

async function runsBySchedule(): Promise<Map<string, Map<string, number>>> {
  const { rows } = await db.pool.query<{ id: string; schedule: string; at: string }>(
    "SELECT r.id, r.schedule_id AS schedule, r.created_at AS at FROM aiki.run r JOIN aiki.actor a ON a.ns = r.ns AND a.run_id = r.id",
  );
  const found = new Map<string, Map<string, number>>();
  for (const { id, schedule, at } of rows) {
    found.set(schedule, (found.get(schedule) ?? new Map<string, number>()).set(id, Number(at)));
  }
  return found;
}

class Fleet {
  #fires = 0;
  readonly #processes: ChildProcess[] = [];

  async race(): Promise<void> {
    await Promise.all(Array.from({ length: PROCESSES }, (_, i) => this.#start(i)));
    for (let i = 0; i < KILLS; i++) {
      await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
      this.#processes[i % PROCESSES]?.kill("SIGKILL");
      void this.#start(i % PROCESSES);
    }
  }

  /** How many fires they have told of. */
  async stop(): Promise<number> {
    const exits = this.#processes.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit"));
    for (const child of this.#processes) child.kill("SIGKILL");
    await Promise.all(exits);
    return this.#fires;
  }

  async #start(place: number): Promise<void> {
    const child = spawn(process.execPath, [FIXTURE], {
      env: { ...process.env, DATABASE_URL: db.url },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#processes[place] = child;
    child.stdout.on("data", (chunk: Buffer) => {
      this.#fires += chunk.toString().split(".").length - 1;
    });
    await once(child.stdout, "data");
  }
}
