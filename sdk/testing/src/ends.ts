/** Lets virtual time pass until runs have ended. */
import { AikiError, LIMITS, type Run, type WaitResult } from "@aikirun/protocol";
import type { Store } from "@aikirun/server/testing";
import { NAMESPACE } from "./network.js";
import type { Orchestrators } from "./orchestrators.js";
import { stuck } from "./waits-text.js";
import type { Passage, Span, World } from "./world.js";

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
  async ended(runId: string, withinMs: number | undefined): Promise<Run> {
    const passage = await this.#world.pass(spanOf(withinMs), this.#whetherEnded(runId));
    const run = await this.#read(runId);
    if (passage.passed === "done") return run;
    throw await stuck(this.#store, [run], this.#why(passage));
  }

  /** The same for every run. */
  async allEnded(withinMs: number | undefined): Promise<void> {
    const passage = await this.#world.pass(
      spanOf(withinMs),
      async () => (await this.#store.countLive(NAMESPACE)).length === 0,
    );
    if (passage.passed === "done") return;
    const count = (await this.#store.countLive(NAMESPACE)).reduce((sum, { live }) => sum + live, 0);
    const { runs: live } = await this.#store.listRuns(NAMESPACE, { status: LIVE }, undefined, MOST_TOLD);
    const runs = await Promise.all(live.map(({ id }) => this.#read(id)));
    throw await stuck(this.#store, runs.reverse(), this.#why(passage), count);
  }

  /** As a client waits. With a timeout, so much virtual time passes if the run does not end before. */
  async wait(runId: string, timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<WaitResult> {
    const hasEnded = this.#whetherEnded(runId);
    const span = { ...spanOf(timeoutMs), wholly: timeoutMs !== undefined };
    const passage = await this.#world.pass(span, () => signal?.aborted || hasEnded());
    if (signal?.aborted) throw new AikiError("ABORTED", "The wait was given up by its own signal.");
    const run = await this.#read(runId);
    if (passage.passed === "done") return { ended: true, run };
    if (timeoutMs === undefined) throw await stuck(this.#store, [run], this.#why(passage));
    return { ended: false, run };
  }

  /** Looked up once, so that no time passes for a run that does not exist. */
  #whetherEnded(runId: string): () => Promise<boolean> {
    let known = false;
    return async () => {
      if (!known) await this.#read(runId);
      known = true;
      return this.#orchestrators.hasEnded(runId);
    };
  }

  #why({ passed, limit }: Passage): string {
    if (passed === "nothing more") return ", and nothing is due any more";
    if (passed === "later") return ` by ${new Date(limit).toISOString()}`;
    const now = new Date(this.#world.clock.now).toISOString();
    return ` by ${now}, and goes on and on. Say how much time may pass: { within: { days: 30 } }, or advance({ days: 30 })`;
  }

  async #read(runId: string): Promise<Run> {
    const run = await this.#store.getRun(NAMESPACE, runId);
    if (!run) throw new AikiError("NOT_FOUND", `There is no run ${runId} in this test.`);
    return run;
  }
}

function spanOf(ms: number | undefined): Span {
  return ms === undefined ? { ms: LIMITS.durationMs, asked: false } : { ms, asked: true };
}
