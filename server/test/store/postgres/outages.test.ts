import { afterEach, beforeEach, expect, it } from "vitest";
import { type Store, StoreUnavailable } from "../../../src/store/port.js";
import { openPostgresStore } from "../../../src/store/postgres/store.js";
import { commit, hold, LEASE_MS, NS, newRun, taskDone, transition } from "../conformance/arena.js";
import { type TestDatabase, testDatabase } from "../database.js";

let db: TestDatabase;
let store: Store;
beforeEach(async () => {
  db = await testDatabase();
  ({ store } = await openPostgresStore({ url: db.url, maxConnections: 4, connectMs: 1_000, statementMs: 3_000 }));
});
afterEach(async () => {
  await store.close();
  await db.close();
});

const OTHERS =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

it("goes on by itself after the server has closed its connections", async () => {
  const run = await hold(store);
  for (let round = 0; round < 3; round++) {
    await Promise.all([store.ping(), store.ping(), store.ping()]);
    await db.pool.query(OTHERS);
    // Each dead connection may be met once; that is said, and it is not met again.
    let refusals = 0;
    for (let up = false; !up; ) {
      up = await store.ping().then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(StoreUnavailable);
          return false;
        },
      );
      if (!up) refusals++;
    }
    expect(refusals).toBeLessThanOrEqual(4);
  }
  await eventually(() => commit(store, run, { records: [taskDone(1)] }));
});

it("says that the outcome is unknown when the connection breaks under a commit", async () => {
  const run = await hold(store);
  const other = await db.pool.connect();
  await other.query("BEGIN");
  await other.query("SELECT FROM aiki.actor FOR UPDATE");
  const one = transition(run, { records: [taskDone(1)] });
  const committing = store.commit(one, LEASE_MS);
  committing.catch(() => {});
  await waiting();
  await db.pool.query(`${OTHERS} AND wait_event_type = 'Lock'`);
  await expect(committing).rejects.toBeInstanceOf(StoreUnavailable);
  await other.query("ROLLBACK");
  other.release();
  expect(await store.lastCommit(NS, run.facts.id)).toEqual({ gen: 1, commitId: undefined });
  expect(await store.commit(one, LEASE_MS)).toMatchObject({ type: "committed" });
});

it("does not wait for a lock for ever", async () => {
  const run = await hold(store);
  const other = await db.pool.connect();
  await other.query("BEGIN");
  await other.query("SELECT FROM aiki.actor FOR UPDATE");
  await expect(store.commit(transition(run), LEASE_MS)).rejects.toBeInstanceOf(StoreUnavailable);
  await other.query("ROLLBACK");
  other.release();
  expect(await store.commit(transition(run), LEASE_MS)).toMatchObject({ type: "committed" });
});

it("retries what a deadlock has rolled back", async () => {
  const runs = await Promise.all([hold(store), hold(store)]);
  const [low, high] = runs.map(({ facts }) => facts.id).sort() as [string, string];
  const other = await db.pool.connect();
  // A stranger locks in the wrong order, and waits longer than the store does.
  await other.query("SET deadlock_timeout = '10s'; BEGIN");
  await other.query("SELECT FROM aiki.actor WHERE run_id = $1 FOR UPDATE", [high]);
  const commits = Promise.all(runs.map((run) => store.commit(transition(run), LEASE_MS)));
  commits.catch(() => {});
  await waiting();
  const locking = other.query("SELECT FROM aiki.actor WHERE run_id = $1 FOR UPDATE", [low]);
  await locking;
  await other.query("ROLLBACK");
  other.release();
  expect((await commits).map(({ type }) => type)).toEqual(["committed", "committed"]);
});

it("is unavailable when nobody answers", async () => {
  const nowhere = openPostgresStore({ url: "postgres://aiki@127.0.0.1:1/aiki", connectMs: 1_000 });
  await expect(nowhere).rejects.toBeInstanceOf(StoreUnavailable);
});

it("rejects a row that cannot be stored, and says that it is the row's fault", async () => {
  const run = await hold(store);
  const bad = { ...taskDone(1), key: "task:\u0000:abc#0" };
  const failing = store.commit(transition(run, { records: [bad] }), LEASE_MS);
  await expect(failing).rejects.toMatchObject({ code: "22021" });
  await expect(failing).rejects.not.toBeInstanceOf(StoreUnavailable);
  expect(await store.start(newRun(), undefined)).toMatchObject({ type: "created" });
});

it("is not opened where an acknowledged write can be lost", async () => {
  const name = new URL(db.url).pathname.slice(1);
  await db.pool.query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
  await expect(openPostgresStore({ url: db.url })).rejects.toMatchObject({
    code: "DATABASE_UNSAFE",
    message: expect.stringContaining("synchronous_commit = off"),
  });
});

/** A dead connection may still be in the pool. */
async function eventually<T>(what: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}

/** Until a statement of the store waits for a lock. */
async function waiting(): Promise<void> {
  const sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  for (;;) {
    const { rowCount } = await db.pool.query(sql);
    if (rowCount) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
