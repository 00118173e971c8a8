/**
 * Statements over a pool. Knows prepared statements, poolers that have none, retries and the database's clock; knows
 * nothing of runs. Keeps no state in a session: any statement may go to any connection.
 */

import pg from "pg";
import { StoreUnavailable } from "../port.js";
import { DatabaseClock } from "./clock.js";
import { faultOf } from "./faults.js";

export interface ConnectionOptions {
  readonly url: string;
  /** Named prepared statements. Default: found out, which takes one connection at start. */
  readonly prepare?: boolean | undefined;
  /** Default 10. */
  readonly maxConnections?: number | undefined;
  /** Longest time for one statement, in milliseconds. Default 10 s. */
  readonly statementMs?: number | undefined;
  /** Longest time to open a connection or to wait for a free one, in milliseconds. Default 5 s. */
  readonly connectMs?: number | undefined;
}

/** A statement that is sent often is prepared once per connection under its name; one without a name never is. */
export interface Statement {
  readonly name: string | undefined;
  readonly text: string;
}

export type Value = string | number | boolean | null | readonly (string | number | boolean | null)[];
export type Row = Record<string, unknown>;

/** Column of a statement that tells the database's time, as a fraction of milliseconds. */
export const CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS clock";

/** Attempts of a statement that was rolled back because of others. */
const ATTEMPTS = 10;

/** Settings of a session that a pooler in transaction mode refuses. None is needed for correctness. */
function sessionOptions(statementMs: number): string {
  return [
    "-c plan_cache_mode=force_generic_plan",
    // Such a plan is kept while the tables grow from nothing: it must not be to read a small table whole.
    "-c enable_seqscan=off",
    // The cost of what is off makes a plan look worth compiling, which takes seconds each time.
    "-c jit=off",
    `-c statement_timeout=${statementMs}`,
    "-c lock_timeout=2000",
    "-c idle_in_transaction_session_timeout=5000",
  ].join(" ");
}

/** 64-bit integers are counts and milliseconds here: both fit a number. */
const types = {
  getTypeParser: ((id: number, format?: "text" | "binary") =>
    id === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(id, format as "text")) as typeof pg.types.getTypeParser,
};

export class Connection {
  readonly pool: pg.Pool;
  readonly clock = new DatabaseClock(() => performance.now());
  #prepare: boolean;

  constructor(pool: pg.Pool, prepare: boolean) {
    this.pool = pool;
    this.#prepare = prepare;
  }

  get prepares(): boolean {
    return this.#prepare;
  }

  /** Runs one statement. Rolled back because of others: again. Throws `StoreUnavailable`, or what the database said. */
  async run(statement: Statement, values: readonly Value[]): Promise<Row[]> {
    for (let attempt = 1; ; attempt++) {
      const prepare = this.#prepare;
      try {
        return await this.#once(statement, values, prepare);
      } catch (error) {
        const fault = faultOf(error);
        if (fault === "unprepared" && prepare) this.#prepare = false;
        else if (fault === "retry" && attempt < ATTEMPTS) await pause(Math.random() * 2 ** attempt);
        else throw fault === "unavailable" || fault === "retry" ? unavailable(error) : error;
      }
    }
  }

  async #once({ name, text }: Statement, values: readonly Value[], prepare: boolean): Promise<Row[]> {
    const client = await this.pool.connect();
    let broken = true;
    try {
      const sentMs = performance.now();
      const query = {
        text,
        values: values as unknown[],
        ...(prepare && name !== undefined ? { name: `aiki_${name}` } : {}),
      };
      const { rows } = await client.query<Row>(query);
      broken = false;
      const clockMs = rows[0]?.["clock"];
      if (typeof clockMs === "number") this.clock.observe({ clockMs, sentMs, receivedMs: performance.now() });
      return rows;
    } catch (error) {
      // What the server refused leaves the connection usable; anything else does not, or nobody knows.
      broken = faultOf(error) === "unavailable" || !(error instanceof pg.DatabaseError);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** For ordinary queries through drizzle: the same errors, no retry. */
  async ask<T>(query: () => Promise<T>): Promise<T> {
    try {
      return await query();
    } catch (error) {
      // drizzle wraps what the driver throws.
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      const fault = faultOf(cause);
      throw fault === "unavailable" || fault === "retry" ? unavailable(cause) : cause;
    }
  }

  async close(): Promise<void> {
    if (!this.pool.ended) await this.pool.end();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function unavailable(error: unknown): StoreUnavailable {
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreUnavailable(`The database did not answer: ${reason}`, { cause: error });
}

/** Connects once, to find out what is there: a server, or a pooler that takes no settings and keeps no statements. */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const statementMs = options.statementMs ?? 10_000;
  const session = sessionOptions(statementMs);
  // Settings are for plans that are kept: without prepared statements they would gain little.
  const keeps = options.prepare !== false && (await keepsSession(options, session));
  const prepare = options.prepare ?? keeps;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: options.connectMs ?? 5_000,
    // The server's own limit comes first; this one is for a server that no longer answers at all.
    query_timeout: statementMs + 2_000,
    keepAlive: true,
    application_name: "aiki",
    types,
    ...(keeps ? { options: session } : {}),
  });
  // A connection that breaks is replaced by the pool, and a query under way on it rejects. Without listeners the same
  // event would end the process: the pool's own is for idle connections, each connection's for one that is in use.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return new Connection(pool, prepare);
}

/** Whether a session's settings arrive at the server that answers. Behind a pooler they do not. */
async function keepsSession(options: ConnectionOptions, session: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: options.url,
    connectionTimeoutMillis: options.connectMs ?? 5_000,
    options: session,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ mode: string }>("SELECT current_setting('plan_cache_mode') AS mode");
    return rows[0]?.mode === "force_generic_plan";
  } catch (error) {
    if (error instanceof Error && /unsupported startup parameter/.test(error.message)) return false;
    throw faultOf(error) === "unavailable" ? unavailable(error) : error;
  } finally {
    await client.end().catch(() => {});
  }
}
