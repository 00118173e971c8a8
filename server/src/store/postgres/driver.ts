/**
 * What carries statements to the server: a pool of connections, one connection, or HTTP. Any statement may go to any
 * connection; only a transaction keeps to one.
 */
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";

export type Row = Record<string, unknown>;

export interface Query {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepared once per connection, where the driver knows connections. */
  readonly name?: string;
  readonly rowMode?: "array";
  readonly types?: pg.CustomTypesConfig;
}

export interface Driver {
  /** Rejects with what the database said, or with an error that `faultOf` knows. */
  send(query: Query): Promise<readonly Row[]>;
  /** Runs `work` on a connection of its own, in a transaction that is rolled back when it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Lets connections go after what is under way has ended. */
  close(): Promise<void>;
}

/** Inside a transaction, as drizzle knows it. */
export type Transaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

/** 64-bit integers are counts and milliseconds here: both fit a number. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: "text" | "binary") =>
    id === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(id, format as "text")) as typeof pg.types.getTypeParser,
};
