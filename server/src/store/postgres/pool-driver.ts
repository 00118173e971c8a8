/** `Driver` over a pool of connections that this process keeps open. */
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { type Driver, type Row, types } from "./driver.js";
import { faultOf } from "./faults.js";

export function poolDriver(config: pg.PoolConfig): Driver {
  const pool = new pg.Pool({ keepAlive: true, application_name: "aiki", types, ...config });
  // A connection that breaks is replaced by the pool, and a query under way on it rejects. Without listeners the same
  // event would end the process: the pool's own is for idle connections, each connection's for one that is in use.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return {
    async send({ values, ...query }) {
      const client = await pool.connect();
      let broken = true;
      try {
        const { rows } = await client.query<Row>({ ...query, values: values as unknown[] });
        broken = false;
        return rows;
      } catch (error) {
        // What the server refused leaves the connection usable; anything else does not, or nobody knows.
        broken = faultOf(error) === "unavailable" || !(error instanceof pg.DatabaseError);
        throw error;
      } finally {
        client.release(broken);
      }
    },
    transaction: (work) => drizzle(pool).transaction(work),
    async close() {
      if (!pool.ended) await pool.end();
    },
  };
}
