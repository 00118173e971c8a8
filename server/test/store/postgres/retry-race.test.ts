/** A parent that is retried and its child that ends, at one time: whichever statement began first, the parent is told. */
import { newId } from "@aikirun/protocol/canonical";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Store } from "../../../src/store/port.js";
import { openPostgresStore } from "../../../src/store/postgres/store.js";
import { claimAll, end, NS } from "../conformance/arena.js";
import { orphaned } from "../conformance/retrying.js";
import { type TestDatabase, testDatabase } from "../database.js";

let db: TestDatabase;
let store: Store;
let other: Store;
beforeEach(async () => {
  db = await testDatabase();
  ({ store } = await openPostgresStore({ url: db.url }));
  ({ store: other } = await openPostgresStore({ url: db.url }));
});
afterEach(async () => {
  await Promise.all([store.close(), other.close()]);
  await db.close();
});

const BLOCKED =
  "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/** Holds back the statement that needs this row, which has then seen what was committed before, until `meanwhile` is done. */
async function heldBack(row: string, first: () => Promise<unknown>, meanwhile: () => Promise<unknown>): Promise<void> {
  const holder = await db.pool.connect();
  await holder.query("BEGIN");
  await holder.query(`${row} FOR UPDATE`);
  const waiting = first();
  await expect.poll(async () => (await db.pool.query(BLOCKED)).rows[0]?.n, { timeout: 10_000 }).toBe(1);
  await meanwhile();
  await holder.query("COMMIT");
  holder.release();
  await waiting;
}

async function expectTold(parentId: string): Promise<void> {
  const claimed = (await claimAll(store)).find(({ facts }) => facts.id === parentId);
  expect(claimed?.mail.map(({ n, body }) => `${n} ${body.kind}`).sort()).toEqual(
    expect.arrayContaining([expect.stringContaining("child"), expect.stringContaining("retry")]),
  );
  expect(claimed?.mail.map(({ n }) => n)).toEqual([1, 2]);
}

it("when the retry began before the child's end was there", async () => {
  const { parent, child, ended } = await orphaned(store);
  await heldBack(
    `SELECT FROM aiki.run WHERE id = '${parent.facts.id}'`,
    () => store.retry(NS, parent.facts.id, newId("msg")),
    () => end(other, child, { messages: [ended] }),
  );
  await expectTold(parent.facts.id);
});

it("when the child's end began before the retry was there", async () => {
  const { parent, child, ended } = await orphaned(store);
  await heldBack(
    `SELECT FROM aiki.actor WHERE run_id = '${child.facts.id}'`,
    async () => expect(await end(store, child, { messages: [ended] })).toMatchObject({ type: "committed" }),
    () => other.retry(NS, parent.facts.id, newId("msg")),
  );
  await expectTold(parent.facts.id);
});
