/**
 * Statements over a driver. Knows prepared statements, poolers that have none, retries and the database's clock; knows
 * nothing of runs. Keeps no state in a session: any statement may go to any connection.
 */
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import { StoreUnavailable } from "../port.js";
import { DatabaseClock } from "./clock.js";
import type { Driver, Query, Row, Transaction } from "./driver.js";
import { faultOf } from "./faults.js";
import { poolDriver } from "./pool-driver.js";

export type { Row } from "./driver.js";

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

export class Connection {
  readonly clock: DatabaseClock;
  /** For ordinary queries. */
  readonly db: NodePgDatabase;
  readonly #driver: Driver;
  #prepare: boolean;

  /** `clock`: of another connection to the same database, whose answers count here too. */
  constructor(driver: Driver, prepare: boolean, clock = new DatabaseClock(() => performance.now())) {
    this.#driver = driver;
    this.#prepare = prepare;
    this.clock = clock;
    // What drizzle needs of a connection is this one method.
    const client = {
      query: async (query: Query, values: unknown[]) => ({ rows: await driver.send({ ...query, values }) }),
    };
    this.db = drizzle(client as unknown as pg.Client);
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
    const sentMs = performance.now();
    const named = prepare && name !== undefined ? { name: `aiki_${name}` } : {};
    const rows = await this.#driver.send({ text, values, ...named });
    const clockMs = rows[0]?.["clock"];
    if (typeof clockMs === "number") this.clock.observe({ clockMs, sentMs, receivedMs: performance.now() });
    return rows as Row[];
  }

  /** Several statements of which all or none take effect. The same errors as `ask`, no retry. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.ask(() => this.#driver.transaction(work));
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
    await this.#driver.close();
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
  const driver = poolDriver({
    connectionString: options.url,
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: options.connectMs ?? 5_000,
    // The server's own limit comes first; this one is for a server that no longer answers at all.
    query_timeout: statementMs + 2_000,
    ...(keeps ? { options: session } : {}),
  });
  return new Connection(driver, prepare);
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
