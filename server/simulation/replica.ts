/** One orchestrator process: the product's dispatcher on a link to the store. It can crash, stand still and come back. */
import { newId } from "@aikirun/protocol";
import type { Delivery } from "../src/dispatch/delivery.js";
import { Dispatcher } from "../src/dispatch/dispatcher.js";
import { type FiringStore, Schedules } from "../src/dispatch/schedules.js";
import type { DispatchSettings } from "../src/dispatch/settings.js";
import type { Timers } from "../src/dispatch/timers.js";
import type { RunStore } from "../src/store/port.js";
import type { Random } from "./random.js";
import { newProcess, type Process, type Scheduler } from "./scheduler.js";

export interface ReplicaOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly settings: Partial<DispatchSettings>;
  readonly link: (process: Process) => RunStore & FiringStore;
  /** Whether there are schedules in this world. */
  readonly fires: boolean;
  readonly delivery: (process: Process) => Delivery;
  readonly onError: (error: unknown) => void;
}

/** Requests that came before the stop have their answer by then, and so have checkpoints, which are taken until the listener closes. */
export const LINGER_MS = 600;
const CLOSED_MS = 100;

export class Replica {
  readonly #options: ReplicaOptions;
  process: Process;
  store: RunStore;
  dispatcher: Dispatcher;
  #schedules: Schedules | undefined;
  /** Whether a load balancer sends requests here. */
  accepting = true;
  /** Whether checkpoints arrive here, as they do while it stops. */
  listening = true;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    [this.process, this.store, this.dispatcher] = this.#boot();
  }

  /** A rolling deploy: pushes end, leases are let go, and a new process comes. */
  async replace(graceMs: number): Promise<void> {
    const { process, dispatcher } = this;
    this.accepting = false;
    await this.#schedules?.stop();
    await dispatcher.stop(graceMs);
    const { scheduler } = this.#options;
    scheduler.after(LINGER_MS - CLOSED_MS, process, "closes", () => {
      this.listening = false;
    });
    scheduler.after(LINGER_MS, process, "replaced", () => this.restart());
  }

  /** Everything in memory is gone, and with it whoever waited for an answer. */
  crash(): void {
    this.process.alive = false;
  }

  restart(): void {
    this.process.alive = false;
    this.accepting = true;
    this.listening = true;
    [this.process, this.store, this.dispatcher] = this.#boot();
  }

  freeze(ms: number): void {
    this.process.frozenUntil = this.#options.scheduler.now + ms;
  }

  #boot(): [Process, RunStore, Dispatcher] {
    const { name, link, fires, delivery, settings, onError } = this.#options;
    const process = newProcess(name);
    const store = link(process);
    const timers = this.#timers(process);
    const dispatcher = new Dispatcher({ store, delivery: delivery(process), settings, timers, onError });
    dispatcher.start();
    if (fires) {
      const fired = () => dispatcher.wake();
      this.#schedules = new Schedules({ store, settings, timers, fired, onError });
      this.#schedules.start();
    }
    return [process, store, dispatcher];
  }

  #timers(process: Process): Timers {
    const { scheduler, random } = this.#options;
    return {
      monotonic: () => scheduler.now,
      after: (ms, run) => scheduler.after(ms, process, "timer", run),
      soon: queueMicrotask,
      random: () => random.next(),
      newId: (prefix) => newId(prefix, scheduler.now, random.bytes(16)),
    };
  }
}
