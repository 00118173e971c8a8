/**
 * Runs whose invocation this process does not wait for: what workers were handed, here or elsewhere, and checkpoints of
 * what another process pushed. The state is loaded once and kept for what follows. The fence alone says who may write, so
 * that a copy which has fallen behind costs a refusal and never a wrong record.
 */
import type { CheckpointBody, HeldPush } from "@aikirun/protocol";
import type { LoadedRun } from "../core/run.js";
import { type CheckpointOutcome, STALE } from "./checkpoint.js";
import { Hold, type Sent, type Shared } from "./hold.js";

/** Runs whose state is kept; the one unused for longest is forgotten first. */
const MOST_GUESTS = 1_000;

export class Guests {
  readonly #shared: Shared;
  /** By push. */
  readonly #holds = new Map<string, Promise<Hold | undefined>>();
  /** By run: those that workers were handed here. */
  readonly #handed = new Map<string, Hold>();

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** A run that a worker was handed. */
  keep(hold: Hold, pushId: string): void {
    const { ns, id } = hold.state.facts;
    this.#keep(keyOf(ns, pushId), Promise.resolve(hold));
    this.#handed.delete(keyOf(ns, id));
    this.#handed.set(keyOf(ns, id), hold);
    dropOldest(this.#handed);
  }

  /** Which worker this process gave a run to, and as which push; the worker may have answered since, elsewhere. */
  handed(ns: string, runId: string): Sent | undefined {
    return this.#handed.get(keyOf(ns, runId))?.handed;
  }

  /** The state for the answer to a push, which is the end of that push. Undefined: it is fenced off. */
  async take(ns: string, push: HeldPush): Promise<Hold | undefined> {
    const key = keyOf(ns, push.pushId);
    const known = this.#holds.get(key);
    this.#holds.delete(key);
    this.#handed.delete(keyOf(ns, push.runId));
    const hold = await (known ?? this.#load(ns, push));
    await hold?.close();
    if (hold) hold.away = false;
    return hold;
  }

  /**
   * The same for a push that was answered with 202, read anew: what the lease is for tells whether the answer is still
   * waited for. `early`: nobody waits for it yet, because the 202 is still being written, or no more, because this is the
   * second time that it comes.
   */
  async takeCallback(ns: string, push: HeldPush): Promise<Hold | "early" | "stale"> {
    this.forget(ns, push);
    const run = await this.#read(ns, push);
    if (!run?.hold) return "stale";
    if (run.hold === "push") return "early";
    const hold = new Hold(run, this.#shared);
    hold.retakes = true;
    return hold;
  }

  forget(ns: string, { runId, pushId }: HeldPush): void {
    this.#holds.delete(keyOf(ns, pushId));
    this.#handed.delete(keyOf(ns, runId));
  }

  async checkpoint(ns: string, body: CheckpointBody): Promise<CheckpointOutcome> {
    const key = keyOf(ns, body.pushId);
    const known = this.#holds.get(key) ?? this.#load(ns, body);
    this.#keep(key, known);
    const hold = await known.catch(() => undefined);
    const outcome = (await hold?.checkpoint(body)) ?? STALE;
    if (outcome.type !== "recorded" || outcome.stop) this.#holds.delete(key);
    await known;
    return outcome;
  }

  async #load(ns: string, push: HeldPush): Promise<Hold | undefined> {
    const run = await this.#read(ns, push);
    if (!run) return undefined;
    const hold = new Hold(run, this.#shared);
    hold.away = true;
    hold.open(push.pushId);
    return hold;
  }

  async #read(ns: string, { runId, epoch, gen }: HeldPush): Promise<LoadedRun | undefined> {
    const run = await this.#shared.store.load(ns, runId);
    return run?.fence.gen === gen && run.fence.epoch === epoch ? run : undefined;
  }

  #keep(key: string, hold: Promise<Hold | undefined>): void {
    this.#holds.delete(key);
    this.#holds.set(key, hold);
    dropOldest(this.#holds);
  }
}

function dropOldest(kept: Map<string, unknown>): void {
  if (kept.size <= MOST_GUESTS) return;
  for (const oldest of kept.keys()) {
    kept.delete(oldest);
    return;
  }
}

function keyOf(ns: string, pushId: string): string {
  return JSON.stringify([ns, pushId]);
}
