/**
 * What the work costs without Aiki: one HTTP POST to the same app, then one durable commit in the same Postgres, written
 * as one statement. The grouped floor merges commits that arrive together.
 */
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { Pool } from "undici";
import { concurrently, elapsedMs, median, SETTLE_MS } from "./figures.js";

export interface Floors {
  /** Milliseconds of one POST and one commit, one at a time: the median. */
  pushMs(count: number): Promise<number>;
  /** Milliseconds of one POST that brings `rows` results and one commit of them all. */
  fanOutMs(rows: number, count: number): Promise<number>;
  /** Milliseconds of one commit, one POST and one more commit. */
  wakeMs(count: number): Promise<number>;
  /** POSTs and commits per second, `width` at a time, commits merged. */
  groupedPerSecond(count: number, width: number): Promise<number>;
  close(): Promise<void>;
}

const SETUP = `
  CREATE SCHEMA IF NOT EXISTS floor;
  CREATE TABLE IF NOT EXISTS floor.actor (id int PRIMARY KEY, seq int NOT NULL);
  CREATE TABLE IF NOT EXISTS floor.record (id int, n int, key text, value text, PRIMARY KEY (id, n));
  TRUNCATE floor.actor, floor.record;
  INSERT INTO floor.actor SELECT i, 0 FROM generate_series(0, 255) i;`;

const COMMIT = {
  name: "floor_commit",
  text: `
    WITH input AS (SELECT * FROM unnest($1::int[], $2::text[]) AS i(id, value)),
    moved AS (UPDATE floor.actor a SET seq = a.seq + n.n FROM (SELECT id, count(*)::int n FROM input GROUP BY id) n
      WHERE a.id = n.id RETURNING a.id, a.seq)
    INSERT INTO floor.record
      SELECT m.id, m.seq - row_number() OVER (PARTITION BY m.id) + 1, 'task:add-one:0000#0', i.value
      FROM input i JOIN moved m ON m.id = i.id`,
};

export async function floors(databaseUrl: string, endpointUrl: string): Promise<Floors> {
  const http = new Pool(endpointUrl, { connections: 64, pipelining: 1 });
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  await database.query(SETUP);

  const body = (rows: number): string =>
    JSON.stringify({ run: "x".repeat(600), answer: { commands: Array.from({ length: rows }, () => ({ output: 1 })) } });
  const post = async (text: string): Promise<string[]> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${"t".repeat(400)}` };
    const response = await http.request({ method: "POST", path: "/floor", headers, body: text });
    const answer = (await response.body.json()) as { commands: unknown[] };
    return answer.commands.map((command) => JSON.stringify(command));
  };
  const commit = (id: number, values: readonly string[]): Promise<unknown> =>
    database.query({ ...COMMIT, values: [values.map(() => id), values] });

  const batch: { id: number; value: string; done: () => void }[] = [];
  let flushing = false;
  const flush = async (): Promise<void> => {
    flushing = true;
    while (batch.length > 0) {
      const now = batch.splice(0, 256);
      await database.query({ ...COMMIT, values: [now.map(({ id }) => id), now.map(({ value }) => value)] });
      for (const { done } of now) done();
    }
    flushing = false;
  };
  const commitGrouped = (id: number, value: string): Promise<void> =>
    new Promise((done) => {
      batch.push({ id, value, done });
      if (!flushing) void flush();
    });

  const sample = async (rows: number, count: number): Promise<number> => {
    const text = body(rows);
    const samples: number[] = [];
    for (let i = 0; i < count; i++) samples.push(await elapsedMs(async () => commit(0, await post(text))));
    return median(samples);
  };

  return {
    pushMs: (count) => sample(1, count),
    fanOutMs: (rows, count) => sample(rows, count),
    async wakeMs(count) {
      const text = body(1);
      const samples: number[] = [];
      for (let i = 0; i < count; i++) {
        // As before each event: what comes to a machine at rest takes longer.
        await pause(SETTLE_MS);
        samples.push(
          await elapsedMs(async () => {
            await commit(0, ["1"]);
            await commit(0, await post(text));
          }),
        );
      }
      return median(samples);
    },
    async groupedPerSecond(count, width) {
      const text = body(1);
      const ms = await elapsedMs(() =>
        concurrently(count, width, async (index) => {
          const [value] = await post(text);
          await commitGrouped(index % width, value ?? "");
        }),
      );
      return (count / ms) * 1_000;
    },
    async close() {
      await database.end();
      await http.close();
    },
  };
}
