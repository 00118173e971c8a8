/**
 * The runs in the hands of this process, however it comes by them: what can be done with them while they are held, and
 * what follows when the holding ends. On Node one of these holds hundreds; a Durable Object holds one run.
 */
import type { CheckpointBody, HeldPush } from "@aikirun/protocol";
import type { LoadedRun } from "../core/run.js";
import type { RunStore } from "../store/port.js";
import { advance, advanceFrom } from "./advance.js";
import type { CheckpointOutcome } from "./checkpoint.js";
import type { Delivery, DeliveryOutcome } from "./delivery.js";
import { Desk, type Seat } from "./desk.js";
import { Guests } from "./guests.js";
import { Heads } from "./heads.js";
import { Hold, type Shared } from "./hold.js";
import { Hub } from "./hub.js";
import { EndpointLoad } from "./load.js";
import type { Observer } from "./observer.js";
import { leaseWithin, type Outcome } from "./outcome.js";
import { broughtPush } from "./push-end.js";
import { DISPATCH_DEFAULTS, type DispatchSettings } from "./settings.js";
import { pause, realTimers, type Timers } from "./timers.js";
import { WarmRuns } from "./warmth.js";

export interface HoldingsOptions extends Pick<Shared, "wake" | "draining"> {
  readonly store: RunStore;
  readonly delivery: Delivery;
  readonly settings?: Partial<DispatchSettings>;
  readonly timers?: Timers;
  readonly hub?: Hub;
  readonly observer?: Observer | undefined;
  /** A cancel was sent to a run that is not held here. */
  readonly cancelSent: (ns: string, runId: string) => void;
  /** A holding has ended; `outcome` undefined: by an error, and the run is left to its lease. */
  readonly left: (hold: Hold, outcome: Outcome | undefined) => void;
  readonly onError: (error: unknown, runId: string | undefined) => void;
}

export class Holdings {
  readonly shared: Shared;
  readonly #options: HoldingsOptions;
  readonly #held = new Map<string, Hold>();
  readonly #guests: Guests;
  readonly #abort = new AbortController();
  #onIdle: (() => void) | undefined;

  constructor(options: HoldingsOptions) {
    const { store, delivery, settings, timers = realTimers, hub = new Hub(), wake, draining } = options;
    this.#options = options;
    this.shared = {
      store,
      delivery,
      timers,
      settings: { ...DISPATCH_DEFAULTS, ...settings },
      warm: new WarmRuns(),
      heads: new Heads(),
      load: new EndpointLoad(),
      hub,
      desk: new Desk(timers),
      wake,
      cancelSent: (ns, runId) => this.cancelSent(ns, runId),
      draining,
      abort: this.#abort.signal,
      stops: new Set(),
      observer: options.observer,
    };
    this.#guests = new Guests(this.shared);
  }

  get size(): number {
    return this.#held.size;
  }

  get aborted(): AbortSignal {
    return this.#abort.signal;
  }

  has(ns: string, runId: string): boolean {
    return this.#held.has(keyOf(ns, runId));
  }

  /** Takes a run that is leased to this process. */
  accept(run: LoadedRun): void {
    const hold = new Hold(run, this.shared);
    const key = keyOf(run.facts.ns, run.facts.id);
    this.#held.set(key, hold);
    void this.#advance(key, hold, advance(hold, run.status === "suspended"));
  }

  /** The push under way is aborted now and not at the next beat, and a worker is told when its poll waits here. */
  cancelSent(ns: string, runId: string): void {
    const hold = this.#held.get(keyOf(ns, runId));
    if (hold) hold.nudge();
    else this.#options.cancelSent(ns, runId);
    // Also when the run was claimed for the cancel a moment ago.
    const handed = this.#guests.handed(ns, runId);
    if (handed) this.shared.desk.tell(ns, handed.endpointId, handed.request.pushId);
  }

  /** Extends what a worker has in hand. Undefined: it is not its any more. Throws `StoreUnavailable`. */
  extend(
    ns: string,
    { runId, gen }: HeldPush,
    timeoutAt: number | undefined,
  ): Promise<{ readonly cancelRequested: boolean } | undefined> {
    const { store, settings } = this.shared;
    return store.extend(ns, runId, gen, leaseWithin(settings.leaseMs, timeoutAt, store.now()));
  }

  /**
   * Goes on from what a worker brings, whichever process handed it out. False: the run is not its any more. `seat` takes
   * the next push. Throws `StoreUnavailable`.
   */
  async answer(
    ns: string,
    push: HeldPush,
    outcome: DeliveryOutcome,
    {
      worker,
      seat,
      versionTimeoutMs,
    }: {
      readonly worker: string;
      readonly seat: Seat | undefined;
      readonly versionTimeoutMs: number | undefined;
    },
  ): Promise<boolean> {
    const key = keyOf(ns, push.runId);
    // The same answer again, while the first is being written.
    if (this.#held.get(key)?.state.fence.gen === push.gen) return false;
    const hold = await this.#guests.take(ns, push);
    if (!hold || this.#held.get(key)?.state.fence.gen === push.gen) return false;
    hold.seat = seat;
    hold.knownTimeoutMs ??= versionTimeoutMs;
    this.#held.set(key, hold);
    const sent = hold.handed?.request.pushId === push.pushId ? hold.handed : undefined;
    hold.pushed = broughtPush(hold, push.pushId, worker);
    const ended = await this.#advance(key, hold, advanceFrom(hold, sent, outcome));
    return ended !== undefined && ended.type !== "lost";
  }

  /**
   * Goes on from the answer to a push that was answered with 202, whichever process made it. Comes back once the answer
   * is written. `early`: not yet, and to be brought again. `stale`: not wanted any more. Throws `StoreUnavailable`.
   */
  async callback(
    ns: string,
    push: HeldPush,
    outcome: DeliveryOutcome,
    versionTimeoutMs: number | undefined,
  ): Promise<"taken" | "early" | "stale"> {
    const key = keyOf(ns, push.runId);
    const isHeld = () => this.#held.get(key)?.state.fence.gen === push.gen;
    if (isHeld()) return "early";
    const hold = await this.#guests.takeCallback(ns, push);
    if (typeof hold === "string") return hold;
    if (isHeld()) return "early";
    hold.knownTimeoutMs ??= versionTimeoutMs;
    this.#held.set(key, hold);
    // Whoever serves the version now has most likely brought it.
    const route = this.shared.delivery.route(hold.state.facts);
    if (route) hold.pushed = broughtPush(hold, push.pushId, route.endpointId);
    return new Promise((resolve) => {
      hold.goesOn = () => resolve("taken");
      void this.#advance(key, hold, advanceFrom(hold, undefined, outcome)).then((ended) =>
        resolve(ended === undefined || ended.type === "lost" ? "early" : "taken"),
      );
    });
  }

  /** Whether the run still waits for what comes of this push. Throws `StoreUnavailable`. */
  async isWanted(ns: string, { runId, gen }: HeldPush): Promise<boolean> {
    return (await this.shared.store.lastCommit(ns, runId))?.gen === gen;
  }

  /** Takes back what a worker has not begun, or does not want to end. Throws `StoreUnavailable`. */
  async giveBack(ns: string, push: HeldPush): Promise<void> {
    this.#guests.forget(ns, push);
    await this.shared.store.release(ns, push.runId, push.gen);
    this.shared.wake({ ns, runIds: [push.runId] });
  }

  /** Writes what an invocation has done so far, whichever process pushed it. Throws `StoreUnavailable`. */
  checkpoint(ns: string, body: CheckpointBody): Promise<CheckpointOutcome> {
    const hold = this.#held.get(keyOf(ns, body.runId));
    // What this process holds may be a generation that another one has overtaken.
    return hold?.state.fence.gen === body.gen ? hold.checkpoint(body) : this.#guests.checkpoint(ns, body);
  }

  /** Lets pushes end for up to `graceMs`, then gives up what is left. All leases are let go. */
  async stop(graceMs: number): Promise<void> {
    await this.#idleWithin(graceMs);
    this.#abort.abort();
    for (const stop of [...this.shared.stops]) stop();
    await this.#idleWithin(graceMs);
  }

  async #idleWithin(ms: number): Promise<void> {
    if (this.#held.size === 0) return;
    const timeUp = new AbortController();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await Promise.race([idle, pause(this.shared.timers, ms, timeUp.signal)]);
    timeUp.abort();
    this.#onIdle = undefined;
  }

  async #advance(key: string, hold: Hold, going: Promise<Outcome>): Promise<Outcome | undefined> {
    let outcome: Outcome | undefined;
    try {
      outcome = await going;
      if (outcome.type === "handed") this.#guests.keep(hold, outcome.pushId);
    } catch (error) {
      this.#options.onError(error, hold.state.facts.id);
    }
    // The same run may have been claimed here again since its lease was lost.
    if (this.#held.get(key) === hold) this.#held.delete(key);
    if (this.#held.size === 0) this.#onIdle?.();
    this.#options.left(hold, outcome);
    return outcome;
  }
}

function keyOf(ns: string, runId: string): string {
  return `${ns}/${runId}`;
}
