/** The product's dispatcher in a process of its own, as far as anybody can tell: dead, it neither does nor hears a thing. */
import type { CheckpointBody, ExecuteRequest } from "@aikirun/protocol";
import type { CheckpointOutcome } from "../../src/dispatch/checkpoint.js";
import type { Delivery, DeliveryOutcome, Route } from "../../src/dispatch/delivery.js";
import { Dispatcher } from "../../src/dispatch/dispatcher.js";
import { realTimers } from "../../src/dispatch/timers.js";
import { type RunStore, StoreUnavailable } from "../../src/store/port.js";

export interface MortalOptions {
  readonly store: RunStore;
  readonly route: Route;
  readonly deliver: (request: ExecuteRequest, signal: AbortSignal) => Promise<DeliveryOutcome>;
  readonly onError: (error: unknown) => void;
}

const LEASE_MS = 300;
const SETTINGS = {
  leaseMs: LEASE_MS,
  scanMs: 40,
  idleScanMs: 80,
  retryBaseMs: 5,
  retryMostMs: 60,
  holdMs: 20,
  storeRetryMs: 5,
  // It is the tests that kill dispatchers and lose pushes, not the runs.
  maxTries: 1_000,
  maxLost: 1_000,
};

export class MortalDispatcher {
  readonly leaseMs = LEASE_MS;
  readonly dispatcher: Dispatcher;
  readonly #death: Promise<undefined>;
  #isDead = false;
  #die: () => void = () => {};

  constructor({ store, route, deliver, onError }: MortalOptions) {
    this.#death = new Promise((resolve) => {
      this.#die = () => resolve(undefined);
    });
    const delivery: Delivery = {
      route: () => route,
      deliver: (_route, _ns, request, signal) => this.#whileAlive(deliver(request, signal)),
    };
    const timers = {
      ...realTimers,
      after: (ms: number, run: () => void) => realTimers.after(ms, () => this.#isDead || run()),
    };
    this.dispatcher = new Dispatcher({ store: this.#link(store), delivery, settings: SETTINGS, timers, onError });
    this.dispatcher.start();
  }

  /** Between two instructions: what was sent may still arrive, and nothing comes back. */
  die(): void {
    this.#isDead = true;
    this.#die();
  }

  /** Undefined: the connection broke. */
  async checkpoint(ns: string, body: CheckpointBody): Promise<CheckpointOutcome | undefined> {
    if (this.#isDead) return undefined;
    const outcome = this.dispatcher.checkpoint(ns, body).catch((error: unknown) => {
      if (error instanceof StoreUnavailable) return undefined;
      throw error;
    });
    return Promise.race([outcome, this.#death]);
  }

  #link(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (target, verb: keyof RunStore) => {
        if (verb === "now") return target.now;
        return (...args: never[]) => {
          const statement = this.#isDead
            ? undefined
            : (target[verb] as (...args: never[]) => Promise<unknown>)(...args);
          return statement ? this.#whileAlive(statement) : new Promise(() => {});
        };
      },
    });
  }

  #whileAlive<Value>(work: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.#isDead || resolve(value),
        (error) => this.#isDead || reject(error),
      );
    });
  }
}
