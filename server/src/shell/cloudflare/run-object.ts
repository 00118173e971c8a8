/**
 * One run. Holds it while it advances, and wakes for its timer. Keeps nothing that Postgres does not have: an object
 * that is gone, or that exists twice, costs time and never a record, because the fence decides.
 */
import { DurableObject } from "cloudflare:workers";
import type { CheckpointBody, HeldPush } from "@aikirun/protocol";
import type { Instant } from "../../core/clock.js";
import type { LoadedRun } from "../../core/run.js";
import type { CheckpointOutcome } from "../../dispatch/checkpoint.js";
import type { DeliveryOutcome } from "../../dispatch/delivery.js";
import type { Hold } from "../../dispatch/hold.js";
import { Holdings } from "../../dispatch/holdings.js";
import { Hub } from "../../dispatch/hub.js";
import type { Outcome } from "../../dispatch/outcome.js";
import { StoreUnavailable } from "../../store/port.js";
import type { Bindings } from "./bindings.js";
import { doubtTeller } from "./doubts.js";
import { isolateOf, writeDownSoon } from "./isolate.js";
import { deskObject, sweep, wakeRuns } from "./objects.js";
import { ENDPOINTS_FRESH_MS, log, openWorkplace, sayEnded, type Workplace } from "./workplace.js";

/** What came of a call that needs the database. */
export type Answered<T> =
  | { readonly type: "done"; readonly value: T }
  | { readonly type: "unavailable"; readonly message: string };

/** An alarm's handler may last 15 minutes; what takes longer goes on under the next one. */
const HANDLER_MS = 14 * 60_000;
/** How long one call waits for news; whoever wants more asks again. */
const WATCH_MS = 25_000;
/**
 * How late an alarm may ring so as never to ring early. Where the database's clock is known less well than this, after
 * slow statements, the alarm may ring early: then nothing is due, and it is set again by what is known of the clock by then.
 */
const MOST_LATE_MS = 20;
const RETRY_FIRST_MS = 100;
const RETRY_MOST_MS = 30_000;

interface Name {
  readonly ns: string;
  readonly runId: string;
}

export class RunObject extends DurableObject<Bindings> {
  readonly #hub = new Hub();
  #workplace: Promise<Workplace> | undefined;
  #holdings: Holdings | undefined;
  #name: Name | undefined;
  /** When the alarm rings, by this machine's clock; null: never. */
  #alarmAt: number | null | undefined;
  #claiming: Promise<void> | undefined;
  /** News came while the run was held or being claimed. */
  #again = false;
  #failures = 0;
  #over = false;
  readonly #rests = new Set<() => void>();

  /** Takes the run that was just inserted, leased for this object. */
  async take(run: LoadedRun): Promise<void> {
    const { ns, id: runId } = run.facts;
    this.#name = { ns, runId };
    try {
      this.#hold(run, await this.#open());
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The run may be due: takes it up unless somebody holds it. */
  async wake(ns: string, runId: string): Promise<void> {
    this.#name = { ns, runId };
    await this.#claim();
  }

  /** It comes due at this instant of the database. */
  async wakeAt(ns: string, runId: string, at: number): Promise<void> {
    this.#name = { ns, runId };
    const { store } = await this.#open();
    await this.#ringAt(this.#localTime(at, store.now()));
  }

  /** Somebody holds the run until this instant, unless it is prolonged or let go before: a timer that is due sooner stays. */
  async lookAt(ns: string, runId: string, at: number): Promise<void> {
    this.#name = { ns, runId };
    const { store } = await this.#open();
    const ringsAt = this.#localTime(at, store.now());
    const set = this.#alarmAt === undefined ? await this.ctx.storage.getAlarm() : this.#alarmAt;
    if (set === null || ringsAt < set) await this.#ringAt(ringsAt);
  }

  async cancelSent(ns: string, runId: string): Promise<void> {
    this.#name = { ns, runId };
    if (this.#holdings?.has(ns, runId)) this.#holdings.cancelSent(ns, runId);
    else await this.#claim();
  }

  async checkpoint(ns: string, body: CheckpointBody): Promise<Answered<CheckpointOutcome>> {
    return this.#asked({ ns, runId: body.runId }, (holdings) => holdings.checkpoint(ns, body));
  }

  /** The answer to a push that was answered with 202. */
  async callback(
    ns: string,
    push: HeldPush,
    outcome: DeliveryOutcome,
    versionTimeoutMs: number | undefined,
  ): Promise<Answered<Awaited<ReturnType<Holdings["callback"]>>>> {
    return this.#asked({ ns, runId: push.runId }, (holdings) => {
      this.#ringAfterLease();
      return holdings.callback(ns, push, outcome, versionTimeoutMs);
    });
  }

  async #asked<T>(name: Name, question: (holdings: Holdings) => Promise<T>): Promise<Answered<T>> {
    this.#name = name;
    try {
      return { type: "done", value: await question(this.#holdingsOf(await this.#open())) };
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return { type: "unavailable", message: error.message };
    }
  }

  /** Resolves with the next commit of the run, or after a while without one. */
  async changed(ns: string, runId: string): Promise<{ readonly changed: boolean; readonly ended: boolean }> {
    if (this.#over) return { changed: true, ended: true };
    return new Promise((resolve) => {
      const finish = (outcome: { changed: boolean; ended: boolean }) => {
        clearTimeout(timer);
        unsubscribe();
        resolve(outcome);
      };
      const timer = setTimeout(() => finish({ changed: false, ended: false }), WATCH_MS);
      const unsubscribe = this.#hub.subscribe(ns, runId, (ended) => finish({ changed: true, ended }));
    });
  }

  /** Somebody else has ended the run, or written to it. */
  async tell(ns: string, runId: string, ended: boolean): Promise<void> {
    if (ended) this.#over = true;
    this.#hub.notify(ns, runId, ended);
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    this.#name ??= await this.ctx.storage.get<Name>("name");
    if (!this.#name) return;
    if (this.#holds()) this.#ringAfterLease();
    else await this.#claim();
    // While it works it stays within a handler: an object without one may be put away in the middle of a push.
    await this.#rest(HANDLER_MS);
  }

  #holds(): boolean {
    return (this.#holdings?.size ?? 0) > 0;
  }

  #open(): Promise<Workplace> {
    const isolate = isolateOf(this.env);
    const defer = (work: Promise<unknown>) => this.ctx.waitUntil(work);
    this.#workplace ??= openWorkplace(isolate, {
      doubt: doubtTeller(this.env, isolate, defer),
      woken: () => {},
      defer,
    });
    const opening = this.#workplace;
    opening.catch(() => {
      if (this.#workplace === opening) this.#workplace = undefined;
    });
    return opening;
  }

  #holdingsOf({ isolate, store, delivery, endpoints, dispatch }: Workplace): Holdings {
    this.#holdings ??= new Holdings({
      store,
      // What other isolates registered is read again now and then, while pushes go on.
      delivery: {
        route: (facts) => {
          void endpoints.refreshAfter(ENDPOINTS_FRESH_MS).catch(() => {});
          return delivery.route(facts);
        },
        versionTimeoutMs: (facts) => delivery.versionTimeoutMs(facts),
        prepare: (...push) => delivery.prepare(...push),
        deliver: (...push) => delivery.deliver(...push),
        served: (ns) => delivery.served(ns),
      },
      observer: isolate.observing,
      settings: dispatch,
      hub: this.#hub,
      wake: (runs) => this.#wakeOthers(store, runs),
      cancelSent: (ns, runId) => this.#wakeOthers(store, { ns, runIds: [runId] }),
      draining: () => false,
      left: (hold, outcome) => void this.#left(hold, outcome),
      onError: (error, run) => log.error("a run could not be advanced", { run, reason: textOf(error) }),
    });
    return this.#holdings;
  }

  #wakeOthers(store: Workplace["store"], runs: { ns: string; runIds: readonly string[] } | undefined): void {
    const others = runs && { ...runs, runIds: runs.runIds.filter((id) => id !== this.#name?.runId) };
    if (runs && others && others.runIds.length < runs.runIds.length) this.#again = true;
    this.ctx.waitUntil(others ? wakeRuns(this.env, others) : sweep(this.env, store));
  }

  #hold(run: LoadedRun, workplace: Workplace): void {
    this.#failures = 0;
    this.#over = false;
    this.#ringAfterLease();
    this.#holdingsOf(workplace).accept(run);
  }

  /** One claim at a time; news that come meanwhile are looked for once more. */
  async #claim(): Promise<void> {
    this.#again = true;
    if (this.#holds()) return;
    this.#claiming ??= this.#claimOnce().finally(() => {
      this.#claiming = undefined;
      if (this.#again && !this.#holds()) void this.#claim();
    });
    await this.#claiming;
  }

  async #claimOnce(): Promise<void> {
    this.#again = false;
    const { ns, runId } = this.#name as Name;
    try {
      const workplace = await this.#open();
      const { store, dispatch } = workplace;
      const leaseMs = dispatch.leaseMs ?? this.#holdingsOf(workplace).shared.settings.leaseMs;
      const [run] = await store.claim({ limit: 1, leaseMs, only: { ns, runId } });
      if (!run) return await this.#sleep(await store.wakesAt(ns, runId), store);
      // A version that was registered a moment ago is not unserved.
      if (!workplace.delivery.route(run.facts)) await workplace.endpoints.refresh().catch(() => {});
      this.#hold(run, workplace);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Until its time comes, or the lease of whoever holds it has run out. */
  async #sleep(at: number | null | undefined, store: Workplace["store"]): Promise<void> {
    this.#failures = 0;
    await store.close();
    if (at === undefined) {
      this.#over = true;
      await this.#forget();
    } else await this.#ringAt(at === null ? null : this.#localTime(at, store.now()));
  }

  /** No database, or no connection to it: tries again, and uses up no attempt of the run. */
  #failed(error: unknown): void {
    if (!(error instanceof StoreUnavailable))
      log.error("a run could not be taken up", { run: this.#name?.runId, reason: textOf(error) });
    const most = Math.min(RETRY_FIRST_MS * 2 ** this.#failures++, RETRY_MOST_MS);
    void this.#ringAt(Date.now() + most * (0.5 + Math.random() / 2));
  }

  async #left({ state }: Hold, outcome: Outcome | undefined): Promise<void> {
    const { ns, id } = state.facts;
    for (const rested of [...this.#rests]) rested();
    if (outcome?.type === "ended") sayEnded(this.env, ns, id);
    writeDownSoon(isolateOf(this.env), (work) => this.ctx.waitUntil(work));
    if (outcome?.type === "parked" && state.trouble?.code === "WORKFLOW_NOT_SERVED") {
      this.ctx.waitUntil(
        deskObject(this.env, ns)
          .unserved(state.facts)
          .catch(() => {}),
      );
    }
    if (this.#again) return this.#claim();
    try {
      const { store } = await this.#open();
      if (outcome?.type === "parked") await this.#sleep(outcome.dueAt, store);
      else if (outcome?.type === "ended") await this.#sleep(undefined, store);
      // Somebody else has it, or an endpoint works on it in the background.
      else await this.#sleep(await store.wakesAt(ns, id), store);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Resolves when nothing is held any more, or after so long. */
  async #rest(mostMs: number): Promise<void> {
    if (!this.#holds()) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#rests.delete(done);
        resolve();
      };
      const timer = setTimeout(done, mostMs);
      this.#rests.add(done);
    });
  }

  #localTime(at: number, { earliest, latest }: Instant): number {
    return Date.now() + Math.max(0, at - Math.max(earliest, latest - MOST_LATE_MS));
  }

  /** Before each push, as long as no earlier alarm is set: who finds the object gone then finds the lease run out. */
  #ringAfterLease(): void {
    const leaseMs =
      this.#holdings?.shared.settings.leaseMs ?? isolateOf(this.env).configuration.settings.AIKI_LEASE_MS ?? 30_000;
    void this.#ringAt(Date.now() + leaseMs);
  }

  async #ringAt(at: number | null): Promise<void> {
    if (at === this.#alarmAt || isolateOf(this.env).configuration.local?.alarms === false) return;
    const { storage } = this.ctx;
    const named = this.#alarmAt !== undefined;
    this.#alarmAt = at;
    // Nothing that leaves the object depends on this: no message waits until it is written.
    if (!named) void storage.put("name", this.#name, { allowUnconfirmed: true });
    if (at === null) await storage.deleteAlarm({ allowUnconfirmed: true });
    else await storage.setAlarm(Math.ceil(at), { allowUnconfirmed: true });
  }

  async #forget(): Promise<void> {
    this.#alarmAt = undefined;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
