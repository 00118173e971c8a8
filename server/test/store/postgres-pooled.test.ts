import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresStore, type PostgresStore } from "../../src/store/postgres/store.js";
import { storeConformance } from "./conformance.js";
import { type TestDatabase, testDatabase } from "./database.js";
import { hasPgbouncer, type Pgbouncer, startPgbouncer } from "./pgbouncer.js";
import { postgresArena } from "./postgres-arena.js";

// Where it cannot be installed, the name says so: not run on a developer's machine, a failure in CI.
const canRun = hasPgbouncer || process.env["CI"] === "true";
const name = hasPgbouncer ? "behind pgbouncer" : "behind pgbouncer (needs pgbouncer: apt-get install pgbouncer)";

describe.skipIf(!canRun)(name, () => {
  let db: TestDatabase;
  let pooler: Pgbouncer;
  let opened: PostgresStore[];

  beforeAll(async () => {
    db = await testDatabase();
    pooler = await startPgbouncer(db.url);
    opened = await Promise.all(
      Array.from({ length: 8 }, () => openPostgresStore({ url: pooler.url, maxConnections: 2 })),
    );
  });
  afterAll(async () => {
    await Promise.all(opened.map(({ store }) => store.close()));
    await pooler.close();
    await db.close();
  });

  it("is noticed: nothing is prepared", () => {
    expect(opened.map(({ prepares }) => prepares)).toEqual(opened.map(() => false));
  });

  it("need not be noticed when it is said", async () => {
    const { store, prepares } = await openPostgresStore({ url: pooler.url, prepare: false });
    expect(prepares).toBe(false);
    await store.ping();
    await store.close();
  });

  it("is noticed later, when it was denied", async () => {
    const { store } = await openPostgresStore({ url: pooler.url, prepare: true, maxConnections: 4 });
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 8 }, () => store.nextDueAt()));
    await store.close();
  });

  storeConformance("the store on Postgres, behind pgbouncer,", () => postgresArena(db, opened));
});
