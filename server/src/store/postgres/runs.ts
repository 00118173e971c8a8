/** The run's verbs on Postgres: each is one statement, found in the file of its name. */
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { RunStore, Unserved } from "../port.js";
import { appendsWhere } from "./append-where.js";
import { appends } from "./appends.js";
import { claimRun, claimRuns, claimUnserved, dueRuns, loadRun, readMail, wakesAt } from "./claim-runs.js";
import { commits } from "./commits.js";
import type { Connection, Row } from "./connection.js";
import { extensions } from "./extensions.js";
import { bumpGeneration, holdForCallback, lastCommit, nextDueAt, releaseLease, wakeUnserved } from "./lease.js";
import { loadLeased } from "./read-runs.js";
import { retry } from "./retry-run.js";
import { type MailRow, toMail } from "./rows.js";
import { starts } from "./starts.js";

/** Most runs in one merged statement. */
const MAX_MERGED = 256;
/** Shortest time between two looks for leases that have run out. Free runs are looked for by every claim. */
const SEEK_LOST_MS = 250;

export function runStore(connection: Connection, db: NodePgDatabase): RunStore {
  const start = starts(connection, MAX_MERGED);
  const append = appends(connection, MAX_MERGED);
  const commit = commits(connection, MAX_MERGED);
  const extend = extensions(connection, MAX_MERGED);
  const askUnserved = (limit: number, leaseMs: number, { ns, wanted }: Unserved) => {
    const versions = [wanted.map(({ workflow }) => workflow), wanted.map(({ version }) => version)];
    return connection.run(claimUnserved, [limit, leaseMs, ns, ...versions, wanted.map(({ pool }) => pool ?? "")]);
  };
  let soughtLostAt = Number.NEGATIVE_INFINITY;
  return {
    now: () => connection.clock.now(),
    start: (run, leaseMs) => start({ run, leaseMs }),
    append: (message, maxQueued, leaseMs) => append({ message, maxQueued, leaseMs }),
    appendWhere: appendsWhere(connection, db),
    commit: (one, leaseMs) => commit({ commit: one, leaseMs }),

    async claim({ limit, leaseMs, unserved, only }) {
      if (only) {
        const rows = await connection.run(claimRun, [limit, leaseMs, only.ns, only.runId]);
        return loadLeased(connection, rows.filter(hasRun));
      }
      if (unserved) return loadLeased(connection, (await askUnserved(limit, leaseMs, unserved)).filter(hasRun));
      const now = performance.now();
      const seeksLost = now - soughtLostAt >= SEEK_LOST_MS;
      if (seeksLost) soughtLostAt = now;
      const rows = await connection.run(claimRuns, [limit, leaseMs, seeksLost]);
      return loadLeased(connection, rows.filter(hasRun));
    },

    async dueRuns(limit) {
      const rows = (await connection.run(dueRuns, [limit])).filter(hasRun);
      return rows.map((row) => ({ ns: row["ns"] as string, runId: row["run_id"] as string }));
    },

    async wakesAt(ns, runId) {
      const [row] = await connection.run(wakesAt, [ns, runId]);
      return row && (row["at"] as number | null);
    },

    async load(ns, runId) {
      // A commit between the two statements would give the fence of one and the records of the other.
      for (;;) {
        const rows = await connection.run(loadRun, [ns, runId]);
        if (rows.length === 0) return undefined;
        const [loaded] = await loadLeased(connection, rows);
        if (loaded) return loaded;
      }
    },

    async readMail(ns, runId, after) {
      const rows = await connection.run(readMail, [ns, runId, after]);
      return (rows as unknown as readonly MailRow[]).map(toMail);
    },

    async lastCommit(ns, runId) {
      const [row] = await connection.run(lastCommit, [ns, runId]);
      return row && { gen: row["gen"] as number, commitId: (row["last_commit"] as string | null) ?? undefined };
    },

    extend: (ns, runId, gen, leaseMs) => extend({ ns, runId, gen, leaseMs }),

    async holdForCallback(ns, runId, gen, leaseMs) {
      return (await connection.run(holdForCallback, [ns, runId, gen, leaseMs])).length > 0;
    },

    async bump(ns, runId, gen, leaseMs) {
      const [row] = await connection.run(bumpGeneration, [ns, runId, gen, leaseMs]);
      if (!row) return undefined;
      const { gen: next, seq, tries, mail_seq: mailSeq } = row as Record<string, number>;
      return { gen: next as number, seq: seq as number, tries: tries as number, mailSeq: mailSeq as number };
    },

    retry: (ns, runId, eventId) => retry(connection, ns, runId, eventId),

    async release(ns, runId, gen) {
      await connection.run(releaseLease, [ns, runId, gen]);
    },

    async wakeUnserved(ns, versions) {
      const workflows = versions.map(({ workflow }) => workflow);
      const [row] = await connection.run(wakeUnserved, [ns, workflows, versions.map(({ version }) => version)]);
      return row?.["woken"] as number;
    },

    async nextDueAt() {
      const [row] = await connection.run(nextDueAt, []);
      return (row?.["due_at"] as number | null) ?? undefined;
    },
  };
}

function hasRun(row: Row): boolean {
  return row["run_id"] !== null;
}
