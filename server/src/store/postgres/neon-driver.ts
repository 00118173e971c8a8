/**
 * `Driver` over Neon's serverless driver: a statement is one HTTP request, so that nothing is kept open; a transaction
 * goes through a WebSocket that lasts as long as it does.
 */
import { Client, neon, neonConfig } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/node-postgres";
import type pg from "pg";
import { type Driver, type Row, types } from "./driver.js";

export interface NeonDriverOptions {
  readonly url: string;
  /** Longest time for one statement, in milliseconds. */
  readonly statementMs: number;
}

/** A server of Neon's protocol on this machine, as `host:port`, instead of the one that the database's host name leads to. */
export function useLocalNeon(proxy: string): void {
  neonConfig.fetchEndpoint = () => `http://${proxy}/sql`;
  neonConfig.wsProxy = () => `${proxy}/v1`;
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineTLS = false;
  neonConfig.pipelineConnect = false;
}

export function neonDriver({ url, statementMs }: NeonDriverOptions): Driver {
  const sql = neon(url);
  return {
    async send({ text, values = [], rowMode, types: parsers }) {
      const fetchOptions = { signal: AbortSignal.timeout(statementMs) };
      const options = { arrayMode: rowMode === "array", types: parsers ?? types, fetchOptions };
      try {
        return (await sql.query(text, values as unknown[], options as object)) as readonly Row[];
      } catch (error) {
        throw withCode(error);
      }
    },
    async transaction(work) {
      const client = new Client(url);
      client.on("error", () => {});
      try {
        await client.connect();
        return await drizzle(client as unknown as pg.Client).transaction(work);
      } catch (error) {
        throw withCode(error);
      } finally {
        await client.end().catch(() => {});
      }
    },
    async close() {},
  };
}

/** SQLSTATE for what the database did not say itself: no answer, or one of the proxy in front of it. */
const CONNECTION_FAILURE = "08006";

function withCode(error: unknown): unknown {
  if (!(error instanceof Error) || isFromDatabase(error)) return error;
  // A value that cannot be sent is no failure of the connection.
  if (error.name !== "NeonDbError" && error.name !== "AbortError" && error.name !== "TimeoutError") return error;
  return Object.assign(new Error(error.message, { cause: error }), { code: CONNECTION_FAILURE });
}

function isFromDatabase(error: Error): boolean {
  return "code" in error && typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code);
}
