import { getTableConfig, type PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readMigrations } from "../../../src/shell/migrations.js";
import { MIGRATIONS, migrate, SCHEMA_VERSION } from "../../../src/store/postgres/migrate.js";
import * as schema from "../../../src/store/postgres/schema.js";
import { openPostgresStore } from "../../../src/store/postgres/store.js";
import { type TestDatabase, testDatabase } from "../database.js";

describe("migrations", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase({ empty: true });
  });
  afterAll(() => db.close());

  it("are numbered without gaps up to the version that the code expects", async () => {
    const names = (await readMigrations()).map(({ name }) => name);
    expect(names.map((name) => Number.parseInt(name, 10))).toEqual(names.map((_, i) => i + 1));
    expect(names).toEqual(MIGRATIONS);
  });

  it("are asked for where they are missing", async () => {
    await expect(openPostgresStore({ url: db.url })).rejects.toMatchObject({
      code: "SCHEMA_TOO_OLD",
      message: expect.stringMatching(/0001_start\.sql.*aiki migrate/),
      details: { missing: MIGRATIONS },
    });
  });

  it("are applied once, by eight at the same time", async () => {
    const migrations = await readMigrations();
    const applied = await Promise.all(Array.from({ length: 8 }, () => migrate(db.url, migrations)));
    expect(applied.flat().sort()).toEqual(migrations.map(({ name }) => name).sort());
    expect(await migrate(db.url, migrations)).toEqual([]);
    const { store } = await openPostgresStore({ url: db.url });
    await store.close();
  });

  it("are all or nothing", async () => {
    const broken = [
      ...(await readMigrations()),
      { name: "0002_broken.sql", sql: "CREATE TABLE aiki.half (); SELECT 1/0" },
    ];
    await expect(migrate(db.url, broken)).rejects.toThrow("division by zero");
    const { rows } = await db.pool.query(
      "SELECT to_regclass('aiki.half') AS half, count(*)::int AS n FROM aiki.schema_migration",
    );
    expect(rows).toEqual([{ half: null, n: SCHEMA_VERSION }]);
  });

  it("lead on what was there before: a run that had failed can be retried, one that lives has its time", async () => {
    const old = await testDatabase({ empty: true });
    try {
      const [first, ...later] = await readMigrations();
      if (!first) throw new Error("no migration");
      await migrate(old.url, [first]);
      const run = `INSERT INTO aiki.run (ns, id, workflow, version, created_at, run_attempt, request_hash, status, ended_at, end_gen)`;
      await old.pool.query(`${run} VALUES ('default', 'run_a', 'w', '1', 5, 1, 'h', 'failed', 9, 3)`);
      await old.pool.query(`${run} VALUES ('default', 'run_b', 'w', '1', 5, 1, 'h', NULL, NULL, NULL)`);
      await old.pool.query(
        `INSERT INTO aiki.mailbox VALUES ('default', 'run_a', 1, 6, 'm', 'wakeup', '{"kind":"wakeup"}')`,
      );
      await old.pool.query(
        `INSERT INTO aiki.record VALUES ('default', 'run_a', 1, 3, 9, 'run', 'run:#0', '{"state":"failed","error":{}}')`,
      );
      await old.pool.query(
        `INSERT INTO aiki.actor (ns, run_id, epoch, gen, tries, due_at, status) VALUES ('default', 'run_b', 1, 0, 0, 5, 'queued')`,
      );
      await migrate(old.url, [first, ...later]);
      const { store } = await openPostgresStore({ url: old.url });
      expect(await store.retry("default", "run_a", "again")).toEqual({ type: "retried" });
      const claimed = await store.claim({ limit: 10, leaseMs: 1_000 });
      const [b, a] = claimed.sort((one, other) => one.fence.gen - other.fence.gen);
      expect(a).toMatchObject({ facts: { timedFrom: 5 }, fence: { gen: 5 }, mail: [{ body: { kind: "retry" } }] });
      expect(b).toMatchObject({ facts: { id: "run_b", createdAt: 5, timedFrom: 5 } });
      expect(await store.getRun("default", "run_a")).toMatchObject({ status: "running", runAttempt: 2, records: 2 });
      await store.close();
    } finally {
      await old.close();
    }
  });

  it("are not changed after the fact", async () => {
    const edited = (await readMigrations()).map(({ name, sql }) => ({ name, sql: `${sql}\n-- edited` }));
    await expect(migrate(db.url, edited)).rejects.toMatchObject({ code: "SCHEMA_UNKNOWN" });
  });

  it("of a newer version are refused", async () => {
    await db.pool.query("INSERT INTO aiki.schema_migration VALUES ('9999_future.sql', 'x')");
    await expect(migrate(db.url, await readMigrations())).rejects.toMatchObject({ code: "SCHEMA_UNKNOWN" });
    await expect(openPostgresStore({ url: db.url })).rejects.toMatchObject({
      code: "SCHEMA_UNKNOWN",
      message: expect.stringContaining("9999"),
    });
  });
});

describe("the schema that drizzle knows", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase();
  });
  afterAll(() => db.close());

  const tables: PgTable[] = Object.values(schema);

  it("has every table that the migrations make", async () => {
    const { rows } = await db.pool.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'aiki' AND table_name <> 'schema_migration'",
    );
    expect(tables.map((table) => getTableConfig(table).name).sort()).toEqual(rows.map(({ name }) => name).sort());
  });

  it.each(tables.map((table) => [getTableConfig(table).name, getTableConfig(table)] as const))(
    "has every column of %s, with its type and key",
    async (name, config) => {
      const { rows } = await db.pool.query(
        `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "notNull"
         FROM pg_attribute a WHERE a.attrelid = ('aiki.' || $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attname COLLATE "C"`,
        [name],
      );
      const known = config.columns
        .map((column) => ({ name: column.name, type: column.getSQLType(), notNull: column.notNull }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(known).toEqual(rows);

      const keys = await db.pool.query<{ name: string }>(
        `SELECT a.attname AS name FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = ('aiki.' || $1)::regclass AND i.indisprimary ORDER BY k.place`,
        [name],
      );
      const primary = config.primaryKeys[0]?.columns ?? config.columns.filter((column) => column.primary);
      expect(primary.map((column) => column.name)).toEqual(keys.rows.map((row) => row.name));
    },
  );

  it("begins every key with the namespace, where a row has one", async () => {
    const { rows } = await db.pool.query<{ index: string; first: string }>(
      `SELECT x.relname::text AS index, a.attname AS first
       FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
       WHERE n.nspname = 'aiki' AND i.indisunique
         AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = i.indrelid AND o.attname = 'ns') AND a.attname <> 'ns'`,
    );
    // An API key is looked up before anybody knows its namespace: it is what tells.
    expect(rows).toEqual([{ index: "api_key_hash", first: "hash" }]);
  });
});
