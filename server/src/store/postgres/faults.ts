/** What an error of the database or its connection means for whoever asked. One table; nothing else reads codes. */

export type Fault =
  /** The database is away, or nobody knows whether the statement took effect. */
  | "unavailable"
  /** The statement was rolled back because of others: the same statement again may succeed. */
  | "retry"
  /** A value of the statement is at fault: in a batch, find the row. */
  | "data"
  /** The connection does not hold the prepared statement: a pooler is in between. */
  | "unprepared"
  /** A bug, or a database that is not ours. */
  | "bug";

/** By SQLSTATE (PostgreSQL manual, appendix A). The longest prefix wins. */
const BY_STATE: Readonly<Record<string, Fault>> = {
  "08": "unavailable", // connection exception; pgbouncer speaks of a lost server as 08P01
  "22": "data", // data exception
  "23": "data", // constraint violation
  "25006": "unavailable", // read only: a standby, or a primary that is being replaced
  "25P03": "unavailable", // idle in transaction
  "26000": "unprepared", // no such prepared statement
  "28": "unavailable", // a password that is being rotated; at start it is reported as it is
  "40001": "retry", // serialization failure
  "40P01": "retry", // deadlock
  "42P05": "unprepared", // prepared statement exists: another client's, behind a pooler
  "53": "unavailable", // out of connections, memory, disk
  "54": "data", // program limit exceeded: a row too large
  "55P03": "unavailable", // lock timeout
  "57": "unavailable", // shutdown, crash, statement cancelled, not accepting connections
  "58": "unavailable", // input or output error of the server
};

const BY_SYSTEM_CODE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOENT", // the unix socket is not there
  "ERR_STREAM_DESTROYED",
]);

/** The driver has no codes of its own for these. */
const BY_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after|The server does not support SSL|There was an error establishing an SSL)/;

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return "bug";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (BY_SYSTEM_CODE.has(code) || BY_MESSAGE.test(error.message)) return "unavailable";
  if (/^[0-9A-Z]{5}$/.test(code)) return BY_STATE[code] ?? BY_STATE[code.slice(0, 2)] ?? "bug";
  if (error instanceof AggregateError) return error.errors.length > 0 ? faultOf(error.errors[0]) : "bug";
  return "bug";
}

/** The constraint that a statement broke, if it did. */
export function brokenConstraint(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "23505") return undefined;
  return "constraint" in error && typeof error.constraint === "string" ? error.constraint : undefined;
}
