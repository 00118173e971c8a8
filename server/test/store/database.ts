/** Databases for tests, on a real Postgres. */
import { inject } from "vitest";
import { type DatabaseOptions, newDatabase, type TestDatabase } from "./new-database.js";

export type { TestDatabase };

/**
 * A new database with Aiki's schema (or, `empty`, without): `const db = await testDatabase()` in `beforeAll`,
 * `db.close()` in `afterAll`. The server is shared by the whole run.
 */
export const testDatabase = (options: DatabaseOptions = {}): Promise<TestDatabase> =>
  newDatabase(inject("postgresSocket"), options);
