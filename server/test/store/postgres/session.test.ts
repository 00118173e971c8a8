import { afterAll, beforeAll, expect, it } from "vitest";
import { type Connection, connect } from "../../../src/store/postgres/connection.js";
import { type TestDatabase, testDatabase } from "../database.js";

let db: TestDatabase;
let connection: Connection;

beforeAll(async () => {
  db = await testDatabase({ empty: true });
  connection = await connect({ url: db.url });
});
afterAll(async () => {
  await connection.close();
  await db.close();
});

// A Postgres with a compiler, as most servers have it, took seconds for a statement of one millisecond.
it("keeps plans, and has none of them compiled", async () => {
  const text = "SELECT current_setting('plan_cache_mode') AS plans, current_setting('jit') AS compiles";
  expect(await connection.run({ name: undefined, text }, [])).toEqual([
    { plans: "force_generic_plan", compiles: "off" },
  ]);
});
