/**
 * A run in the hands of this process: its state, its unread mail, and every write that keeps or ends the holding.
 * Nothing here decides; `core` does.
 */
import type { CheckpointBody, ExecuteRequest, HistoryCursor, HistoryRecord, HistorySlice } from "@aikirun/protocol";
import { advanceCursor, START } from "../core/cursor.js";
import { commitOf, type Decision, type Input, letGo, settle } from "../core/decide.js";
import type { Commit, LoadedRun, Mail, Trouble } from "../core/run.js";
import { type RunState, stateOf, timeoutAtOf } from "../core/state.js";
import { type CommitOutcome, type RunStore, StoreUnavailable } from "../store/port.js";
import { type CheckpointOutcome, recordCheckpoint, STALE } from "./checkpoint.js";
import type { Delivery, Route } from "./delivery.js";
import type { Desk, Seat } from "./desk.js";
import type { Heads } from "./heads.js";
import type { Hub } from "./hub.js";
import type { EndpointLoad } from "./load.js";
import type { Observer } from "./observer.js";
import { BACKGROUND, ENDED, LOST, leaseWithin, type Outcome } from "./outcome.js";
import { markOf, noteEnd, type OpenPush } from "./push-end.js";
import { isNextPush, type PreparedPush, pushRequest } from "./push-request.js";
import type { DispatchSettings } from "./settings.js";
import { pause, type Timers } from "./timers.js";
import type { WarmRuns } from "./warmth.js";

/** What every run of one process shares. */
export interface Shared {
  readonly store: RunStore;
  readonly delivery: Delivery;
  readonly timers: Timers;
  readonly settings: DispatchSettings;
  readonly warm: WarmRuns;
  readonly heads: Heads;
  readonly load: EndpointLoad;
  readonly hub: Hub;
  readonly desk: Desk;
  /** Some run was made due: these, where that is known. */
  readonly wake: (runs?: Woken) => void;
  /** A cancel was written to this run's mailbox. */
  readonly cancelSent: (ns: string, runId: string) => void;
  /** True from the moment that nothing new is to be pushed. */
  readonly draining: () => boolean;
  /** Aborts when even what is under way is given up. */
  readonly abort: AbortSignal;
  /** Called with it. Hundreds of holds would be as many listeners of one signal, which Node 20 takes for a leak. */
  readonly stops: Set<() => void>;
  readonly observer: Observer | undefined;
}

/** Runs that were made due. */
export interface Woken {
  readonly ns: string;
  readonly runIds: readonly string[];
}

/** A push that is under way, as far as its answer needs it. */
export interface Sent {
  /** Of whoever has it: an endpoint or a worker. */
  readonly endpointId: string;
  readonly request: ExecuteRequest;
}

const STORE_RETRY_MOST_MS = 1_000;
const TOO_LATE = { code: "CHECKPOINT_STALE", message: "The run had moved on when its answer came to be written." };

export class Hold {
  readonly shared: Shared;
  state: RunState;
  /** Messages above `state.seen` that were read, in order. */
  mail: readonly Mail[];
  /** Of the worker whose answer is being written: it takes the next push. */
  seat: Seat | undefined;
  /** The time limit of the run's version, once somebody has told it. */
  knownTimeoutMs: number | undefined;
  /** The push whose answer is being dealt with. */
  pushed: OpenPush | undefined;
  /** What a worker was handed last. */
  handed: Sent | undefined;
  /** Another process waits for what is under way of it, or nobody does. */
  away = false;
  /** The answer that a lease for a callback was for is being written: with it the lease is this process's own. */
  retakes = false;
  /** A commit has ended the run: that of an answer, or that of a checkpoint while something else was waited for. */
  hasEnded = false;
  /** Called once what was brought is written, or dropped, and the run goes on from here. */
  goesOn: (() => void) | undefined;
  /** The lease is one for a callback, as far as this process knows. */
  #forCallback = false;
  /** Where the history ended when it was last hashed. */
  #head: HistoryCursor;
  #ready: PreparedPush | undefined;
  /** Asks at once whether a cancel has come. Set while the lease is being kept. */
  #check: (() => void) | undefined;
  /** Ends the waiting for a push whose run has ended under it. Set likewise. */
  #over: (() => void) | undefined;
  /** The push whose invocation may write checkpoints. */
  #pushId: string | undefined;
  #checkpoints: Promise<unknown> = Promise.resolve();

  constructor(run: LoadedRun, shared: Shared) {
    this.shared = shared;
    this.state = stateOf(run);
    this.mail = run.mail;
    this.#head = shared.heads.get(run.facts.id, run.fence.epoch, run.records.length) ?? START;
  }

  /** Writes a decision. A terminal one that a control message forestalled is to be taken again, with the same answer. */
  async write(decision: Decision, trouble: Trouble | undefined): Promise<"held" | "again" | "unread" | Outcome> {
    const retook = this.retakes;
    const written = this.record(decision, trouble);
    if (decision.next.type === "push" && !retook) this.#readyPush(decision);
    const outcome = await written;
    if (outcome === "fenced") return this.retake();
    // The same answer again is stale from now on, also when the run is soon left for another callback.
    return outcome === "held" && retook ? this.refence() : outcome;
  }

  /** The same, for whom a lost fence is the end. */
  async record(decision: Decision, trouble: Trouble | undefined): Promise<"held" | "fenced" | "unread" | Outcome> {
    const { state, shared } = this;
    const decided = commitOf(state, decision, shared.timers.newId("push"), trouble);
    const retakes = this.retakes && decided.next.type === "keep";
    const commit: Commit = { ...decided, ...markOf(this), ...(retakes && { next: { type: "keep", retakes } }) };
    const outcome = await this.#commit(commit);
    if (outcome.type === "fenced") noteEnd(this, TOO_LATE);
    if (outcome.type === "lost") return LOST;
    if (outcome.type === "fenced") return "fenced";
    if (outcome.type === "unread") return (await this.#readMail()) ? "unread" : LOST;
    this.pushed = undefined;
    settle(state, decision, trouble);
    if (commit.children.length > 0) shared.observer?.started(commit.ns, commit.children.length);
    if (retakes) this.retakes = false;
    const woken = [...commit.children.map(({ facts }) => facts.id), ...commit.messages.map(({ runId }) => runId)];
    if (woken.length > 0) shared.wake({ ns: commit.ns, runIds: woken });
    for (const { ns, runId, body } of commit.messages) if (body.kind === "cancel") shared.cancelSent(ns, runId);
    this.mail = [];
    const unread = outcome.mailSeq > commit.seen;
    const { next } = commit;
    if (next.type === "end") shared.observer?.ended(commit.ns, next.status);
    if (next.type === "end") return this.#ended(commit);
    if (next.type === "park") return this.#parked(commit, next.dueAt, unread);
    shared.hub.notify(commit.ns, commit.runId, false);
    return !unread || (await this.#readMail()) ? "held" : LOST;
  }

  /**
   * Gives the run to a worker. From then on nothing of it depends on this process: the lease is for whoever brings the
   * answer. `gone`: the worker is not there any more.
   */
  async handOver(seat: Seat): Promise<Outcome | "gone"> {
    const { shared, state } = this;
    const { facts } = state;
    const { leaseMs, workerBudgetMs } = shared.settings;
    const timeoutAt = this.#timeoutAt();
    if (!this.#forCallback) {
      const mine = await this.#holdForCallback(leaseMs).catch((error) => {
        seat.leave();
        throw error;
      });
      if (!mine) {
        seat.leave();
        return LOST;
      }
    }
    const to = { endpointId: seat.worker, budgetMs: workerBudgetMs };
    const request = pushRequest(this, to);
    this.handed = { endpointId: seat.worker, request };
    this.open(request.pushId);
    const push = shared.delivery.forWorker?.(facts.ns, request) ?? request;
    if (seat.give({ push, leaseMs, ...(timeoutAt !== undefined && { timeoutAt }) }))
      return { type: "handed", pushId: push.pushId };
    await this.close();
    return "gone";
  }

  /**
   * Leaves the run to its endpoint, which brings the answer within `deadlineMs`. As above; and its checkpoints, of which
   * one may be under way here, go on.
   */
  async leave(deadlineMs: number): Promise<Outcome> {
    return (await this.#holdForCallback(deadlineMs)) ? BACKGROUND : LOST;
  }

  async #holdForCallback(leaseMs: number): Promise<boolean> {
    const { facts, fence } = this.state;
    const timeoutAt = this.#timeoutAt();
    const mine = await this.#ask((store) =>
      store.holdForCallback(facts.ns, facts.id, fence.gen, leaseWithin(leaseMs, timeoutAt, store.now())),
    );
    this.#forCallback ||= mine === true;
    return mine === true;
  }

  /** The worker that takes the run next, if any. */
  takeSeat(): Seat | undefined {
    const { seat } = this;
    this.seat = undefined;
    return seat ?? this.shared.desk.take(this.state.facts);
  }

  /** From now on the invocation of this push may write checkpoints. */
  open(pushId: string): void {
    this.#pushId = pushId;
  }

  /** From now on it may not, and what it was writing is written or refused. */
  async close(): Promise<void> {
    this.#pushId = undefined;
    await this.#checkpoints;
  }

  /** One at a time, so that a checkpoint that came twice finds the sequence of the first. */
  checkpoint(body: CheckpointBody): Promise<CheckpointOutcome> {
    const { epoch, gen, pushId } = body;
    const outcome = this.#checkpoints.then(() => {
      const { fence } = this.state;
      const isMine = this.#pushId === pushId && fence.epoch === epoch && fence.gen === gen;
      return isMine ? recordCheckpoint(this, body) : STALE;
    });
    this.#checkpoints = outcome.catch(() => {});
    return outcome;
  }

  /** Lets the run go without a decision. */
  async park(status: "queued" | "stalled", at: number | null, trouble: Trouble | undefined) {
    const dueAt = at === null ? null : Math.min(at, this.#timeoutAt() ?? at);
    const commit = letGo(this.state, this.shared.timers.newId("push"), status, dueAt, trouble);
    const outcome = await this.#commit(commit);
    if (outcome.type === "committed") return this.#parked(commit, commit.next.dueAt, outcome.mailSeq > commit.seen);
    return outcome.type === "fenced" ? this.retake() : LOST;
  }

  async release(): Promise<Outcome> {
    const { facts, fence } = this.state;
    try {
      await this.shared.store.release(facts.ns, facts.id, fence.gen);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return LOST;
    }
    return { type: "released" };
  }

  /** A new generation before a push whose predecessor may still run. Reloads when the row has moved on. */
  async refence(): Promise<"held" | "again" | Outcome> {
    const { facts, fence, seen } = this.state;
    const bumped = await this.#bump();
    if (!bumped) return LOST;
    if (bumped.seq !== fence.seq) return this.#reload(bumped.gen);
    this.state.fence = { ...fence, gen: bumped.gen };
    this.state.tries = bumped.tries;
    if (bumped.mailSeq <= seen) return "held";
    const mail = await this.#ask((store) => store.readMail(facts.ns, facts.id, seen));
    if (!mail) return LOST;
    this.mail = mail;
    return "again";
  }

  /** After a lost fence: when the generation is still ours, a new one and the state as it is written now. */
  async retake(): Promise<"again" | Outcome> {
    const bumped = await this.#bump();
    return bumped ? this.#reload(bumped.gen) : LOST;
  }

  /** The row as it is now, when it is still ours. */
  async reload(): Promise<"again" | Outcome> {
    return this.#reload(this.state.fence.gen);
  }

  /**
   * How long a run of this version may take; looked for while the run has no limit of its own. What was known when it
   * was pushed is known when the answer comes, although perhaps nobody serves the version any more.
   */
  #versionTimeoutMs(): number | undefined {
    const { timeoutMs, facts } = this.state;
    const { delivery, desk } = this.shared;
    if (timeoutMs === undefined)
      this.knownTimeoutMs ??= delivery.versionTimeoutMs?.(facts) ?? desk.versionTimeoutMs(facts);
    return this.knownTimeoutMs;
  }

  /** What bounds a decision about this run. */
  limits(): Pick<Input, "maxTold" | "versionTimeoutMs"> {
    return { maxTold: this.shared.settings.maxTold, versionTimeoutMs: this.#versionTimeoutMs() };
  }

  #timeoutAt(): number | undefined {
    return timeoutAtOf(this.state, this.#versionTimeoutMs());
  }

  /** Asks now whether a cancel has come, instead of at the next extension of the lease. */
  nudge(): void {
    this.#check?.();
  }

  /**
   * Waits for `work`, extending the lease meanwhile. Every other end aborts the work, whose result is dropped. `cancel`:
   * or the run's time is over; `ended`: a checkpoint of the work ended the run.
   */
  whileHeld<T>(work: (signal: AbortSignal) => Promise<T>): Promise<{ done: T } | "cancel" | "ended" | "lost" | "stop"> {
    const { timers, settings, abort, stops, store } = this.shared;
    const timeoutAt = this.#timeoutAt();
    if (abort.aborted) return Promise.resolve("stop");
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      let over = false;
      let disarm = () => {};
      let disarmTimeout = () => {};
      const finish = () => {
        over = true;
        disarm();
        disarmTimeout();
        this.#check = undefined;
        this.#over = undefined;
        stops.delete(stop);
      };
      const giveUp = (why: "cancel" | "ended" | "lost" | "stop") => {
        finish();
        resolve(why);
        controller.abort();
      };
      const stop = () => giveUp("stop");
      const arm = (ms: number) => {
        disarm();
        disarm = timers.after(ms, beat);
      };
      const beat = () => {
        void this.#extend().then((lease) => {
          if (over) return;
          if (lease === "gone") giveUp("lost");
          else if (lease === "cancel") giveUp("cancel");
          else arm(lease === "kept" ? settings.leaseMs / 3 : settings.storeRetryMs * 4);
        }, reject);
      };
      // Not before it has surely passed by the database's clock, so that the decision which follows ends the run.
      const timeOut = (at: number) => {
        const leftMs = at - store.now().earliest;
        if (leftMs > 0) disarmTimeout = timers.after(leftMs, () => timeOut(at));
        // A checkpoint that has read a pause stops its time; what the invocation still does is recorded.
        else if (!this.state.paused) giveUp("cancel");
      };
      this.#check = beat;
      this.#over = () => giveUp("ended");
      stops.add(stop);
      arm(settings.leaseMs / 3);
      if (timeoutAt !== undefined) timeOut(timeoutAt);
      if (over) return;
      work(controller.signal).then(
        (done) => {
          if (over) return;
          finish();
          resolve({ done });
        },
        (error: unknown) => {
          if (over) return;
          finish();
          reject(error);
        },
      );
    });
  }

  /**
   * The history for this endpoint: only what is new when it said that it keeps the rest. `coming` are records that a
   * commit under way adds.
   */
  slice(route: Pick<Route, "endpointId">, coming: readonly HistoryRecord[]): HistorySlice {
    const { records, facts } = this.state;
    let after = this.shared.warm.get(facts.id, route.endpointId, records.length);
    if (after && after.n > records.length) after = undefined;
    if (after && after.n > this.#head.n) {
      // The run was loaded anew: the endpoint's copy counts only when its past is this past.
      this.#head = advanceCursor(this.#head, records.slice(this.#head.n, after.n));
      if (this.#head.hash !== after.hash) after = undefined;
    }
    this.#head = advanceCursor(this.#head, records.slice(this.#head.n));
    const missing = [...records.slice(after?.n ?? 0), ...coming];
    return { ...(after ? { after } : {}), records: missing, head: advanceCursor(this.#head, coming) };
  }

  /** The push that comes next, as it was made ready while the commit before it was under way, or made now. */
  nextPush(route: Route): ExecuteRequest {
    const ready = this.#ready;
    this.#ready = undefined;
    if (!ready || !isNextPush(ready, route, this.state)) return pushRequest(this, route);
    this.#head = ready.request.history.head;
    return ready.request;
  }

  /**
   * Makes the push ready that follows a commit under way, for the case that it is written and brings no mail. Nothing of
   * it leaves this process before that: an endpoint sees committed results only.
   */
  #readyPush(decision: Decision): void {
    const { delivery, timers } = this.shared;
    const { facts, fence } = this.state;
    if (this.seat) return;
    timers.soon(() => {
      const route = this.state.fence === fence ? delivery.route(facts) : undefined;
      if (!route) return;
      const request = pushRequest(this, route, decision.records);
      delivery.prepare?.(route, facts.ns, request);
      this.#ready = { route, request };
    });
  }

  #ended(commit: Commit): Outcome {
    this.hasEnded = true;
    this.shared.hub.notify(commit.ns, commit.runId, true);
    this.shared.warm.forget(commit.runId);
    this.shared.heads.forget(commit.runId);
    this.#over?.();
    return ENDED;
  }

  #parked(commit: Commit, dueAt: number | null, unread: boolean): Outcome {
    this.shared.hub.notify(commit.ns, commit.runId, false);
    this.shared.heads.set(commit.runId, commit.fence.epoch, this.#head);
    if (unread) this.shared.wake({ ns: commit.ns, runIds: [commit.runId] });
    return { type: "parked", dueAt };
  }

  /**
   * Sends a commit until its outcome is known. The same commit again is harmless: when the first one was written after
   * all, the second is fenced and `last_commit` says so. Given up when the lease would have run out.
   */
  async #commit(commit: Commit): Promise<CommitOutcome | { readonly type: "lost" }> {
    const { store, settings } = this.shared;
    const timeoutAt = this.#forCallback || this.away ? this.#timeoutAt() : undefined;
    let uncertain = false;
    const outcome = await this.#ask(async () => {
      try {
        const outcome = await store.commit(commit, leaseWithin(settings.leaseMs, timeoutAt, store.now()));
        if (outcome.type !== "fenced" || !uncertain) return outcome;
      } catch (error) {
        uncertain = true;
        throw error;
      }
      const last = await store.lastCommit(commit.ns, commit.runId);
      const mine = last?.gen === commit.fence.gen && last.commitId === commit.commitId;
      // Nothing is known of the mail then, so that it is read.
      return mine ? { type: "committed" as const, mailSeq: Number.POSITIVE_INFINITY } : { type: "fenced" as const };
    });
    return outcome ?? { type: "lost" };
  }

  #bump(): ReturnType<RunStore["bump"]> {
    const { facts, fence } = this.state;
    return this.#ask((store) => store.bump(facts.ns, facts.id, fence.gen, this.shared.settings.leaseMs));
  }

  async #reload(gen: number): Promise<"again" | Outcome> {
    const { facts, trouble } = this.state;
    const loaded = await this.#ask((store) => store.load(facts.ns, facts.id));
    if (!loaded || loaded.fence.gen !== gen) return LOST;
    this.state = stateOf({ ...loaded, trouble: trouble ?? loaded.trouble });
    this.mail = loaded.mail;
    return "again";
  }

  async #readMail(): Promise<boolean> {
    const { facts, seen } = this.state;
    const mail = await this.#ask((store) => store.readMail(facts.ns, facts.id, seen));
    this.mail = mail ?? [];
    return mail !== undefined;
  }

  async #extend(): Promise<"kept" | "cancel" | "gone" | "unknown"> {
    const { facts, fence } = this.state;
    try {
      const lease = await this.shared.store.extend(facts.ns, facts.id, fence.gen, this.shared.settings.leaseMs);
      if (!lease) return "gone";
      return lease.cancelRequested ? "cancel" : "kept";
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return "unknown";
    }
  }

  /** Asks the store until it answers. Undefined when it was away for as long as a lease: the run is somebody else's. */
  async #ask<T>(question: (store: RunStore) => Promise<T>): Promise<T | undefined> {
    const { store, timers, settings, abort } = this.shared;
    const givenUpAt = timers.monotonic() + settings.leaseMs;
    for (let waitMs = settings.storeRetryMs; ; waitMs = Math.min(2 * waitMs, STORE_RETRY_MOST_MS)) {
      try {
        return await question(store);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
      if (timers.monotonic() >= givenUpAt) return undefined;
      if (!(await pause(timers, waitMs, abort))) return undefined;
    }
  }
}
