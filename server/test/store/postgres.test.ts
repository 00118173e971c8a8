import { afterAll, beforeAll, expect, it } from "vitest";
import { openPostgresStore, type PostgresStore } from "../../src/store/postgres/store.js";
import { storeConformance } from "./conformance.js";
import { type TestDatabase, testDatabase } from "./database.js";
import { postgresArena } from "./postgres-arena.js";

let db: TestDatabase;
let opened: PostgresStore[];

beforeAll(async () => {
  db = await testDatabase();
  opened = await Promise.all(Array.from({ length: 8 }, () => openPostgresStore({ url: db.url, maxConnections: 2 })));
});
afterAll(async () => {
  await Promise.all(opened.map(({ store }) => store.close()));
  await db.close();
});

it("prepares its statements, and finds nothing unsafe", () => {
  expect(opened.map(({ prepares, warnings }) => [prepares, warnings])).toEqual(opened.map(() => [true, []]));
});

storeConformance("the store on Postgres", () => postgresArena(db, opened));
