/**
 * The runs that this process advances: new ones that it inserted already leased, and due ones that it claims. Any number
 * of processes do this on one database; correctness never depends on a wake or a timer arriving, only promptness does.
 */
import { AikiError, type WorkPollAnswer } from "@aikirun/protocol";
import type { LoadedRun } from "../core/run.js";
import { type RunStore, StoreUnavailable } from "../store/port.js";
import { Alarm } from "./alarm.js";
import type { Delivery } from "./delivery.js";
import type { Desk, WorkerPoll } from "./desk.js";
import { Fetcher } from "./fetcher.js";
import type { Hold, Shared, Woken } from "./hold.js";
import { Holdings } from "./holdings.js";
import type { Hub } from "./hub.js";
import type { Observer } from "./observer.js";
import type { Outcome } from "./outcome.js";
import type { DispatchSettings } from "./settings.js";
import { pause, type Timers } from "./timers.js";

export interface DispatcherOptions {
  readonly store: RunStore;
  readonly delivery: Delivery;
  readonly settings?: Partial<DispatchSettings>;
  readonly timers?: Timers;
  readonly hub?: Hub;
  readonly observer?: Observer | undefined;
  /** What nobody expected: a bug, or a store that answers nonsense. The run is left to its lease. */
  readonly onError?: (error: unknown, runId: string | undefined) => void;
}

/** Of a run that was inserted leased. */
const FIRST_GENERATION = 1;
/**
 * The first thing that is done with an event is to record it, which prolongs the lease. Where nobody knows that the event
 * took the lease, because the acknowledgement was lost, the run waits no longer than this.
 */
const LEASE_OF_EVENT_MS = 2_000;
/** How soon after a timer rang the store is asked for the next one. */
const LOOK_AHEAD_MS = 50;
/** A claim looks only so often for runs that are held: one right before a cancel may have been the last for a while. */
const CANCEL_AGAIN_MS = 300;

export class Dispatcher {
  readonly hub: Hub;
  readonly #holdings: Holdings;
  readonly #shared: Shared;
  readonly #alarm: Alarm;
  readonly #fetcher: Fetcher;
  readonly #onError: (error: unknown, runId: string | undefined) => void;
  #state: "new" | "running" | "draining" | "stopped" = "new";
  #claiming: Promise<void> | undefined;
  /** A wake came while a claim was under way or no room was left. */
  #claimAgain = false;
  #disarmScan = () => {};
  #scanMs: number;
  /** Set while the store is away: no claim before the next try. */
  #storeAway = false;
  #storeRetryMs = 0;
  #lookingSoon = false;

  constructor({ onError = () => {}, ...options }: DispatcherOptions) {
    this.#onError = onError;
    this.#holdings = new Holdings({
      ...options,
      onError,
      wake: () => this.wake(),
      cancelSent: () => this.#shared.timers.after(CANCEL_AGAIN_MS, () => this.wake()),
      draining: () => this.#state !== "running",
      left: (hold, outcome) => this.#left(hold, outcome),
    });
    this.#shared = this.#holdings.shared;
    this.hub = this.#shared.hub;
    this.#fetcher = new Fetcher({
      shared: this.#shared,
      room: () => this.#room(),
      accept: (run) => this.accept(run),
      onError,
    });
    this.#scanMs = this.#shared.settings.scanMs;
    const { timers, store } = this.#shared;
    this.#alarm = new Alarm(
      timers,
      () => store.now(),
      () => {
        this.wake();
        this.#lookSoon();
      },
    );
  }

  /** How many runs are in the hands of this process. */
  get held(): number {
    return this.#holdings.size;
  }

  /** Whether a new run is better inserted leased to this process than left for anybody to claim. */
  hasRoom(): boolean {
    return this.#state === "running" && this.#room() > 0;
  }

  /** For how long an event may lease its run to this process, in milliseconds. Undefined: it has no room. */
  leaseOfEvent(): number | undefined {
    return this.hasRoom() ? Math.min(this.#shared.settings.leaseMs, LEASE_OF_EVENT_MS) : undefined;
  }

  start(): void {
    if (this.#state !== "new") throw new Error("a dispatcher starts once");
    this.#state = "running";
    this.wake();
    this.#armScan();
  }

  /** Takes a run that was just leased to this process, by its start or by an event. */
  accept(run: LoadedRun): void {
    this.#holdings.accept(run);
  }

  /**
   * Nobody knows whether the start of this run took effect. If it did, the run is leased to this process, which does not
   * advance it: gives the lease back as soon as the store answers, so that the run does not wait until it has run out.
   */
  startedUnknown(ns: string, runId: string): void {
    this.#returnLease(ns, runId).catch((error) => this.#onError(error, runId));
  }

  /**
   * Some run may be due now: call it after every write that makes one due. Cheap, and merged with calls around it. Which
   * run it is does not matter here: a claim takes what is due.
   */
  wake(_runs?: Woken): void {
    if (this.#state !== "running") return;
    this.#claimAgain = true;
    if (this.#storeAway) return;
    this.#claiming ??= this.#claimAll().finally(() => {
      this.#claiming = undefined;
      if (this.#claimAgain && this.#room() > 0) this.wake();
    });
  }

  /** A run comes due at `at`, by the database's clock. */
  wakeAt(at: number, _runs?: Woken): void {
    this.#alarm.set(at);
  }

  /** Whether this process advances the run just now: then the hub tells of everything that happens to it. */
  holds(ns: string, runId: string): boolean {
    return this.#holdings.has(ns, runId);
  }

  /** A cancel was sent to this run: when it is held here, the push under way is aborted now and not at the next beat. */
  cancelSent(ns: string, runId: string): void {
    this.#holdings.cancelSent(ns, runId);
  }

  /** Polls of this namespace that wait in this process. */
  waitingPolls(ns: string): number {
    return this.#shared.desk.count(ns);
  }

  /** Versions that workers asked this process for a moment ago. */
  workersOf(ns: string): ReturnType<Desk["serving"]> {
    return this.#shared.desk.serving(ns);
  }

  /** Gives a worker what there is for it to do, waiting up to `waitMs` for the first run; room for none ends its polls. Throws `OVERLOADED`. */
  async poll(poll: WorkerPoll, waitMs: number, signal: AbortSignal): Promise<WorkPollAnswer> {
    const { desk } = this.#shared;
    if (poll.room === 0) desk.end(poll.ns, poll.worker);
    if (poll.room === 0) return { pushes: [] };
    if (this.#state !== "running") throw new AikiError("OVERLOADED", "This orchestrator stops or starts just now.");
    const covered = desk.covers(poll);
    const given = desk.wait(poll, waitMs, signal);
    if (!covered) this.#fetcher.fetch();
    return given;
  }

  readonly extend: Holdings["extend"] = (...extension) => this.#holdings.extend(...extension);
  readonly answer: Holdings["answer"] = (...answer) => this.#holdings.answer(...answer);
  readonly callback: Holdings["callback"] = (...callback) => this.#holdings.callback(...callback);
  readonly isWanted: Holdings["isWanted"] = (...push) => this.#holdings.isWanted(...push);
  readonly giveBack: Holdings["giveBack"] = (...push) => this.#holdings.giveBack(...push);
  readonly checkpoint: Holdings["checkpoint"] = (...checkpoint) => this.#holdings.checkpoint(...checkpoint);

  /** Claims nothing more, lets pushes end for up to `graceMs`, then gives up what is left. All leases are let go. */
  async stop(graceMs: number): Promise<void> {
    if (this.#state === "stopped" || this.#state === "draining") return;
    this.#state = "draining";
    this.#disarmScan();
    this.#alarm.stop();
    await this.#claiming;
    await this.#fetcher.settled();
    await this.#holdings.stop(graceMs);
    this.#state = "stopped";
  }

  #room(): number {
    const { settings, load } = this.#shared;
    return settings.maxHeld - (this.held - load.waiting());
  }

  #left({ state }: Hold, outcome: Outcome | undefined): void {
    if (outcome?.type === "parked") {
      if (outcome.dueAt !== null) this.#alarm.set(outcome.dueAt);
      // A poll that came while the run was being parked has found nothing.
      if (state.trouble?.code === "WORKFLOW_NOT_SERVED" && this.#shared.desk.wants(state.facts)) this.#fetcher.fetch();
    }
    if (this.#claimAgain) this.wake();
  }

  async #returnLease(ns: string, runId: string): Promise<void> {
    const { store, timers, settings } = this.#shared;
    const givenUpAt = timers.monotonic() + settings.leaseMs;
    while (timers.monotonic() < givenUpAt && (await pause(timers, settings.scanMs, this.#holdings.aborted))) {
      // The same request was sent again, to be the one that took effect.
      if (this.holds(ns, runId)) return;
      try {
        await store.release(ns, runId, FIRST_GENERATION);
        return this.wake();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    }
  }

  /** Claims until nothing is due or no room is left; one claim at a time. */
  async #claimAll(): Promise<void> {
    const { store, settings } = this.#shared;
    while (this.#claimAgain && this.#state === "running") {
      const limit = Math.min(settings.claimBatch, this.#room());
      if (limit <= 0) return;
      this.#claimAgain = false;
      try {
        const runs = await store.claim({ limit, leaseMs: settings.leaseMs });
        this.#storeRetryMs = 0;
        if (runs.length > 0) this.#scanMs = settings.scanMs;
        if (runs.length === limit) this.#claimAgain = true;
        for (const run of runs) this.accept(run);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) this.#onError(error, undefined);
        this.#claimAgain = true;
        return this.#retryClaim();
      }
    }
  }

  #retryClaim(): void {
    const { timers, settings } = this.#shared;
    this.#storeRetryMs = Math.min(Math.max(settings.storeRetryMs, 2 * this.#storeRetryMs), settings.scanMs);
    this.#storeAway = true;
    timers.after(this.#storeRetryMs, () => {
      this.#storeAway = false;
      this.wake();
    });
  }

  #armScan(): void {
    const { timers, settings } = this.#shared;
    // Spread, so that replicas do not all ask in the same moment.
    const ms = this.#scanMs * (0.75 + timers.random() / 2);
    this.#disarmScan = timers.after(ms, () => {
      // Whoever waits here may be the only one who serves what another process starts.
      const most = this.#shared.desk.size > 0 ? settings.scanMs : settings.idleScanMs;
      this.#scanMs = Math.min(this.#scanMs * 1.5, most);
      void this.#scan().finally(() => {
        if (this.#state === "running") this.#armScan();
      });
    });
  }

  async #scan(): Promise<void> {
    this.#shared.desk.sweep();
    if (this.#shared.desk.size > 0) this.#fetcher.fetch();
    this.wake();
    await this.#claiming;
    await this.#lookAhead();
  }

  /** After a timer rang: the next one may be of a run that another process parked. */
  #lookSoon(): void {
    if (this.#lookingSoon) return;
    this.#lookingSoon = true;
    this.#shared.timers.after(LOOK_AHEAD_MS, () => {
      this.#lookingSoon = false;
      void this.#lookAhead();
    });
  }

  async #lookAhead(): Promise<void> {
    if (this.#state !== "running") return;
    try {
      const at = await this.#shared.store.nextDueAt();
      if (at !== undefined) this.#alarm.set(at);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) this.#onError(error, undefined);
    }
  }
}
