/** Starting many runs and seeing them to their end, through whichever orchestrator answers. */
import { setTimeout as delay } from "node:timers/promises";
import { AikiError, newId } from "@aikirun/protocol";
import type pg from "pg";
import type { Replica } from "./fleet.js";
import type { Started } from "./verify.js";
import { type ChainInput, chainV1 } from "./workflows.js";

const START_MS = 60_000;
const RETRY_MS = 50;
/** Answers after which nobody knows, or knows that nothing happened: the same request may be sent again. */
const PASSING: ReadonlySet<string> = new Set(["ORCHESTRATOR_UNREACHABLE", "DATABASE_UNAVAILABLE", "OVERLOADED"]);

/** Resolves once one of the replicas, asked in turn from number `first` on, has acknowledged the run. */
export async function startRun(replicas: readonly Replica[], input: ChainInput, first = 0): Promise<Started> {
  const id = newId("run");
  const body = { id, workflow: chainV1.name, version: chainV1.versionId, input: { ...input } };
  const deadline = performance.now() + START_MS;
  for (let attempt = first; ; attempt++) {
    try {
      await (replicas[attempt % replicas.length] as Replica).aiki.startRun(body);
      return { id, input };
    } catch (error) {
      const passes = error instanceof AikiError && PASSING.has(error.code);
      if (!passes || performance.now() > deadline) throw error;
      await delay(RETRY_MS);
    }
  }
}

/** Waits until no run is live. Says which are when the time is up. */
export async function untilAllEnded(pool: pg.Pool, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { rows } = await pool.query("SELECT run_id, status, gen, tries, trouble FROM aiki.actor");
    if (rows.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(`${rows.length} runs have not ended: ${JSON.stringify(rows.slice(0, 5))}`);
    }
    await delay(100);
  }
}
