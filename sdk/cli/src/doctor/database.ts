import { withDatabase } from "../database-fault.js";
import { type Finding, fine, problem, problemOf } from "./finding.js";

/** The database of `aiki start`, when this machine has its setting: whether it answers, and its schema. */
export async function checkDatabase(databaseUrl: string | undefined): Promise<Finding[]> {
  if (!databaseUrl) return [];
  const { pendingMigrations } = await import("@aikirun/server");
  try {
    const pending = await withDatabase(pendingMigrations(databaseUrl));
    if (pending.length === 0) return [fine("DATABASE_URL", "reachable, the schema is up to date")];
    return [problem("DATABASE_URL", `The schema lacks ${pending.join(", ")}.`, "Run `aiki migrate`.")];
  } catch (error) {
    return [problemOf("DATABASE_URL", error)];
  }
}
