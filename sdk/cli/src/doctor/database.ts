import type { Finding } from "./finding.js";

/** The database of `aiki start`, when this machine has its setting. */
export async function checkDatabase(databaseUrl: string | undefined): Promise<Finding[]> {
  if (!databaseUrl) return [];
  return [];
}
