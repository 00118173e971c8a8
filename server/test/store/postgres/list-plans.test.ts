/** Lists over a hundred thousand runs: no page reads a whole table, and each is looked for among a bounded number. */
import { LIMITS } from "@aikirun/protocol";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunFilter } from "../../../src/store/port.js";
import { Connection } from "../../../src/store/postgres/connection.js";
import { countByStatus, countUnserved } from "../../../src/store/postgres/count-runs.js";
import { listRuns } from "../../../src/store/postgres/list-runs.js";
import { poolDriver } from "../../../src/store/postgres/pool-driver.js";
import { type TestDatabase, testDatabase } from "../database.js";

const RUNS = 100_000;
const LIVE = 30_000;
/** The newest run of each thousand is one of its kind. */
const RARE = 1_000;
/** What the product's own sessions say, and what is left of that behind a pooler. */
const SESSIONS = ["-c plan_cache_mode=force_generic_plan -c enable_seqscan=off", undefined] as const;

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
  const id = `'run_' || lpad(n::text, 26, '0')`;
  const ended = `CASE WHEN n > ${RUNS - LIVE} THEN NULL WHEN n % ${RARE} = 0 THEN 'failed' ELSE 'completed' END`;
  await database.pool.query(
    `INSERT INTO aiki.run (ns, id, workflow, version, created_at, request_hash, status, ended_at, reference, parent_id, schedule_id)
     SELECT 'default', ${id}, CASE WHEN n % ${RARE} = 0 THEN 'rare' ELSE 'checkout' END, '1.0.0', n, 'hash', ${ended},
       CASE WHEN n > ${RUNS - LIVE} THEN NULL ELSE n END, CASE WHEN n % 2 = 0 THEN 'order-' || n END,
       CASE WHEN n % ${RARE} = 7 THEN 'run_' || lpad((n % 10)::text, 26, '0') END,
       CASE WHEN n % ${RARE} = 8 THEN 'sch_' || lpad((n % 10)::text, 26, '0') END
     FROM generate_series(1, ${RUNS}) n`,
  );
  const status = `CASE WHEN n % ${RARE} = 0 THEN 'stalled' WHEN n % 100 = 1 THEN 'running' WHEN n % 2 = 0 THEN 'suspended' ELSE 'queued' END`;
  await database.pool.query(
    `INSERT INTO aiki.actor (ns, run_id, epoch, gen, seq, tries, status, hold, lease_until, due_at, trouble)
     SELECT 'default', ${id}, 1, 1, 1, 0, ${status}, CASE WHEN n % 100 = 1 AND n % ${RARE} > 0 THEN 'push' END,
       CASE WHEN n % 100 = 1 AND n % ${RARE} > 0 THEN 9999999999999 END, 5,
       CASE WHEN n % 2 = 1 THEN '{"code":"WORKFLOW_NOT_SERVED"}' END
     FROM generate_series(${RUNS - LIVE + 1}, ${RUNS}) n`,
  );
  await database.pool.query("VACUUM ANALYZE aiki.run, aiki.actor");
}, 120_000);
afterAll(() => database?.close());

interface Plan {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Relation Name"?: string;
  readonly Plans?: readonly Plan[];
}

/** A connection that explains each statement that it runs. */
async function explaining(options: string | undefined) {
  const config = { connectionString: database.url, max: 1, ...(options && { options }) };
  const pool = new pg.Pool(config);
  const plans: Plan[] = [];
  const connection = new Connection(poolDriver(config), false);
  const run = connection.run.bind(connection);
  connection.run = async (statement, values) => {
    const literals = values.map((value) =>
      Array.isArray(value)
        ? `'{${value.join(",")}}'`
        : typeof value === "string"
          ? pg.escapeLiteral(value)
          : String(value),
    );
    await pool.query(`DEALLOCATE ALL; PREPARE asked AS ${statement.text}`);
    const { rows } = await pool.query<{ "QUERY PLAN": [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE asked(${literals.join(",")})`,
    );
    plans.push((rows[0] as { "QUERY PLAN": [{ Plan: Plan }] })["QUERY PLAN"][0].Plan);
    return run(statement, values);
  };
  const close = async () => {
    await Promise.all([connection.close(), pool.end()]);
  };
  return { connection, plans, close };
}

const filters: readonly [string, RunFilter][] = [
  ["nothing", {}],
  ["what is rare and live", { status: ["stalled"] }],
  ["what is live", { status: ["suspended"] }],
  ["what runs", { status: ["running"] }],
  ["what has ended", { status: ["completed"] }],
  ["what failed", { status: ["failed"] }],
  ["several statuses", { status: ["queued", "running", "suspended", "stalled", "completed", "failed"] }],
  ["what nobody is", { status: ["paused", "cancelled"] }],
  ["a workflow", { workflow: "rare" }],
  ["a workflow and a status", { workflow: "rare", status: ["completed"] }],
  ["a version", { version: "2.0.0" }],
  ["a workflow and a version", { workflow: "checkout", version: "1.0.0" }],
  ["a reference", { reference: "order-50000" }],
  ["children", { parent: `run_${"7".padStart(26, "0")}` }],
  ["a schedule", { schedule: `sch_${"8".padStart(26, "0")}` }],
  ["the last minutes", { createdAfter: RUNS - 500 }],
  ["failures of the last days", { createdAfter: RUNS / 2, status: ["failed"] }],
  ["what is old", { createdBefore: 60_000 }],
  ["what is old and of a workflow", { createdBefore: 60_000, workflow: "rare" }],
  ["a span", { createdAfter: 40_000, createdBefore: 41_000, status: ["failed"] }],
  ["an id", { q: `run_${"100".padStart(26, "0")}` }],
  ["the beginning of every id", { q: "run_0" }],
  ["the beginning of some references", { q: "order-777" }],
  ["the beginning of many references", { q: "order-" }],
  ["the beginning of nothing", { q: "invoice" }],
  ["a text and a status", { q: "order-1", status: ["stalled"] }],
];

describe.each(SESSIONS)("with the session %s", (options) => {
  it.each(filters)("a page of %s looks at a bounded number of runs", async (_what, filter) => {
    const { connection, plans, close } = await explaining(options);
    try {
      let cursor: string | undefined;
      for (let page = 0; page < 3; page++) {
        ({ next: cursor } = await listRuns(connection, "default", filter, cursor, 50));
        if (cursor === undefined) break;
      }
      for (const plan of plans) check(plan);
    } finally {
      await close();
    }
  });

  it("counts without reading a table", async () => {
    const { connection, plans, close } = await explaining(options);
    try {
      const counts = await connection.run(countByStatus, ["default", LIMITS.countedRuns + 1]);
      expect(counts.find(({ status }) => status === "completed")).toEqual({ status: "completed", n: 10_001 });
      await connection.run(countUnserved, ["default", LIMITS.countedRuns]);
      for (const plan of plans) check(plan);
    } finally {
      await close();
    }
  });
});

/** Statements that read several indexes may read each up to the bound. */
function check(plan: Plan): void {
  if (plan["Relation Name"] !== undefined) {
    expect(plan["Node Type"]).not.toBe("Seq Scan");
    expect(plan["Actual Rows"] * plan["Actual Loops"]).toBeLessThanOrEqual(LIMITS.scannedRuns + 1);
  }
  for (const part of plan.Plans ?? []) check(part);
}

it("finds every run of a filter, page by page, whatever lies between them", async () => {
  const connection = new Connection(poolDriver({ connectionString: database.url, max: 2 }), false);
  try {
    for (const [filter, count] of [
      [{ workflow: "rare" }, RUNS / RARE],
      [{ workflow: "rare", status: ["failed"] }, (RUNS - LIVE) / RARE],
      [{ createdBefore: 60_001, workflow: "rare" }, 60],
      [{ q: "order-", workflow: "rare" }, RUNS / RARE],
      [{ q: "order-77" }, 555],
      [{ version: "2.0.0" }, 0],
    ] as const) {
      const found = new Set<string>();
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await listRuns(connection, "default", filter, cursor, 50);
        for (const { id } of page.runs) found.add(id);
        cursor = page.next;
        pages += 1;
      } while (cursor !== undefined && pages < 100);
      expect([filter, found.size, cursor]).toEqual([filter, count, undefined]);
    }
  } finally {
    await connection.close();
  }
});
