/**
 * Checkpoints of runs that another process pushed: behind a load balancer, or after that process has gone. The state is
 * loaded once and kept for the checkpoints that follow. The fence alone says who may write, so that a copy which has
 * fallen behind costs a refusal and never a wrong record.
 */
import type { CheckpointBody } from "@aikirun/protocol";
import { type CheckpointOutcome, STALE } from "./checkpoint.js";
import { Hold, type Shared } from "./hold.js";

/** Runs whose state is kept; the one unused for longest is forgotten first. */
const MOST_GUESTS = 256;

export class Guests {
  readonly #shared: Shared;
  readonly #holds = new Map<string, Promise<Hold | undefined>>();

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async checkpoint(ns: string, body: CheckpointBody): Promise<CheckpointOutcome> {
    const key = JSON.stringify([ns, body.pushId]);
    const known = this.#holds.get(key) ?? this.#load(ns, body);
    this.#keep(key, known);
    const hold = await known.catch(() => undefined);
    const outcome = (await hold?.checkpoint(body)) ?? STALE;
    if (outcome.type !== "recorded" || outcome.stop) this.#holds.delete(key);
    await known;
    return outcome;
  }

  async #load(ns: string, { runId, pushId, epoch, gen }: CheckpointBody): Promise<Hold | undefined> {
    const run = await this.#shared.store.load(ns, runId);
    if (run?.fence.gen !== gen || run.fence.epoch !== epoch) return undefined;
    const hold = new Hold(run, this.#shared);
    hold.open(pushId);
    return hold;
  }

  #keep(key: string, hold: Promise<Hold | undefined>): void {
    this.#holds.delete(key);
    this.#holds.set(key, hold);
    if (this.#holds.size <= MOST_GUESTS) return;
    for (const oldest of this.#holds.keys()) {
      this.#holds.delete(oldest);
      return;
    }
  }
}
