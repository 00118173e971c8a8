/** Lets virtual time pass until runs have ended. */
import { AikiError, LIMITS, type Run } from "@aikirun/protocol";
import type { Store } from "@aikirun/server/testing";
import { NAMESPACE } from "./network.js";
import type { Orchestrators } from "./orchestrators.js";
import { stuck } from "./waits-text.js";
import type { World } from "./world.js";

/** Of all runs, those that the error of a test that is stuck looks at. */
const MOST_TOLD = 20;
const LIVE = ["scheduled", "queued", "running", "suspended", "paused", "stalled"] as const;

export class Ends {
  readonly #world: World;
  readonly #store: Store;
  readonly #orchestrators: Orchestrators;

  constructor(world: World, store: Store, orchestrators: Orchestrators) {
    this.#world = world;
    this.#store = store;
    this.#orchestrators = orchestrators;
  }

  /** Rejects with `RUN_STUCK` when the run does not end, or not in so much virtual time. */
  async ended(runId: string, withinMs: number = LIMITS.durationMs): Promise<Run> {
    const limit = this.#world.clock.now + withinMs;
    const passed = await this.#world.pass(limit, () => this.#orchestrators.hasEnded(runId));
    const run = await this.#read(runId);
    if (passed === "done") return run;
    throw await stuck(this.#store, [run], passed === "later" ? limit : undefined);
  }

  /** The same for every run. */
  async allEnded(withinMs: number = LIMITS.durationMs): Promise<void> {
    const limit = this.#world.clock.now + withinMs;
    const passed = await this.#world.pass(limit, async () => (await this.#store.countLive(NAMESPACE)).length === 0);
    if (passed === "done") return;
    const live = await this.#store.listRuns(NAMESPACE, { status: LIVE }, undefined, MOST_TOLD);
    const runs = await Promise.all(live.map(({ id }) => this.#read(id)));
    throw await stuck(this.#store, runs.reverse(), passed === "later" ? limit : undefined);
  }

  /** As a client waits. With a timeout, so much virtual time passes if the run does not end before. */
  async wait(runId: string, timeoutMs: number | undefined, signal: AbortSignal | undefined) {
    await this.#read(runId);
    if (timeoutMs === undefined && !signal) return { ended: true, run: await this.ended(runId) };
    const limit = this.#world.clock.now + (timeoutMs ?? LIMITS.durationMs);
    const passed = await this.#world.pass(limit, () => signal?.aborted || this.#orchestrators.hasEnded(runId));
    if (signal?.aborted) throw new AikiError("ABORTED", "The wait was given up by its own signal.");
    const run = await this.#read(runId);
    if (passed === "done") return { ended: true, run };
    if (timeoutMs === undefined) throw await stuck(this.#store, [run], passed === "later" ? limit : undefined);
    this.#world.clock.moveTo(limit);
    return { ended: false, run };
  }

  async #read(runId: string): Promise<Run> {
    const run = await this.#store.getRun(NAMESPACE, runId);
    if (!run) throw new AikiError("NOT_FOUND", `There is no run ${runId} in this test.`);
    return run;
  }
}
