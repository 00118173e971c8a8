import { AikiError } from "@aikirun/protocol/canonical";
import { messageOf } from "./failure.js";

/**
 * What the database's driver throws, such as a refused connection or a wrong password, is the user's to mend. Its
 * message names the host or the user, never the password.
 */
export async function withDatabase<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AikiError || !isDatabaseFault(error)) throw error;
    const message = `The database of DATABASE_URL cannot be used: ${messageOf(error) || codeOf(error)}. Is Postgres up, and is DATABASE_URL right?`;
    throw new AikiError("DATABASE_UNAVAILABLE", message, { cause: error });
  }
}

/** Postgres and the system name their faults by a code; the store has a class of its own. */
function isDatabaseFault(error: unknown): boolean {
  return error instanceof Error && (error.name === "StoreUnavailable" || codeOf(error) !== "");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
