/** The orchestrator of a test: the product's dispatcher on virtual time. After a crash there is another one. */
import { type Delivery, DISPATCH_DEFAULTS, Dispatcher, type Store, type Timers } from "@aikirun/server/testing";
import { soon } from "./real-time.js";
import type { World } from "./world.js";

export interface OrchestratorsOptions {
  readonly world: World;
  readonly store: Store;
  readonly random: () => number;
  readonly newId: Timers["newId"];
  /** The way to the endpoint of one orchestrator. */
  readonly delivery: (process: Process) => Delivery;
}

/** One life of an orchestrator. */
export interface Process {
  alive: boolean;
}

export const LEASE_MS = DISPATCH_DEFAULTS.leaseMs;
/** Whoever moves the clock asks the store what is due: nothing has to be looked for time after time. */
const NEVER = Number.POSITIVE_INFINITY;

export class Orchestrators {
  readonly #options: OrchestratorsOptions;
  readonly #ended = new Set<string>();
  #process: Process = { alive: false };
  #dispatcher: Dispatcher;

  constructor(options: OrchestratorsOptions) {
    this.#options = options;
    this.#dispatcher = this.#boot();
  }

  /** The one that lives. */
  get current(): Dispatcher {
    return this.#dispatcher;
  }

  hasEnded(runId: string): boolean {
    return this.#ended.has(runId);
  }

  /** Nothing that this one does from now on arrives anywhere; what it holds is free when its leases have run out. */
  crash(): void {
    this.#process.alive = false;
    this.#dispatcher = this.#boot();
    this.#options.world.clock.after(LEASE_MS + 1, () => this.#dispatcher.wake());
  }

  #boot(): Dispatcher {
    const { world, store, delivery } = this.#options;
    const process: Process = { alive: true };
    this.#process = process;
    const dispatcher = new Dispatcher({
      store,
      delivery: delivery(process),
      timers: this.#timers(process),
      settings: { scanMs: NEVER, idleScanMs: NEVER },
      onError: (error) => world.blame(error),
    });
    dispatcher.hub.watchEnds((_ns, runId) => this.#ended.add(runId));
    dispatcher.start();
    return dispatcher;
  }

  #timers(process: Process): Timers {
    const { world, random, newId } = this.#options;
    return {
      monotonic: () => world.clock.now,
      after: (ms, run) => world.clock.after(ms, () => process.alive && run()),
      soon,
      random,
      newId,
    };
  }
}
