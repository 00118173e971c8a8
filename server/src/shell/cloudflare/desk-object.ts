/**
 * Where the workers of one namespace wait. It claims what nobody else serves, hands it out, and goes on from what they
 * bring; what it lets go belongs to the run's own object again.
 */
import { DurableObject } from "cloudflare:workers";
import { type HeldPush, LIMITS, type WorkPollAnswer, type WorkPush } from "@aikirun/protocol";
import type { RunFacts } from "../../core/run.js";
import type { DeliveryOutcome } from "../../dispatch/delivery.js";
import type { Desk, WorkerPoll } from "../../dispatch/desk.js";
import { Fetcher } from "../../dispatch/fetcher.js";
import type { Hold } from "../../dispatch/hold.js";
import { Holdings } from "../../dispatch/holdings.js";
import type { Outcome } from "../../dispatch/outcome.js";
import { StoreUnavailable } from "../../store/port.js";
import type { Bindings } from "./bindings.js";
import { doubtTeller } from "./doubts.js";
import { isolateOf, writeDownSoon } from "./isolate.js";
import { runObject, sweep, wakeRuns } from "./objects.js";
import type { Answered } from "./run-object.js";
import { log, openWorkplace, sayEnded, type Workplace } from "./workplace.js";

/** Runs that one object advances at a time. */
const MOST_HELD = 512;
/** How often it looks for what nobody told it of, while somebody waits. */
const SCAN_MS = 1_000;

export class DeskObject extends DurableObject<Bindings> {
  #workplace: Promise<Workplace> | undefined;
  #holdings: Holdings | undefined;
  #fetcher: Fetcher | undefined;
  #scanning: ReturnType<typeof setTimeout> | undefined;

  /** `full`: too many wait already. */
  async poll(poll: WorkerPoll, waitMs: number): Promise<Answered<WorkPollAnswer | "full">> {
    return this.#asked(async ({ shared: { desk } }) => {
      if (poll.room === 0) {
        desk.end(poll.ns, poll.worker);
        return { pushes: [] };
      }
      if (desk.count(poll.ns) >= LIMITS.waitingPolls) return "full";
      const covered = desk.covers(poll);
      const given = desk.wait(poll, waitMs, new AbortController().signal);
      if (!covered) this.#fetcher?.fetch();
      this.#scan();
      return given;
    });
  }

  /** What workers asked for a moment ago. */
  async serving(ns: string): Promise<ReturnType<Desk["serving"]>> {
    const desk = this.#holdings?.shared.desk;
    desk?.sweep();
    return desk?.serving(ns) ?? [];
  }

  /** A run was parked because nobody serves it. */
  async unserved(facts: Pick<RunFacts, "ns" | "workflow" | "version" | "pool">): Promise<void> {
    if (this.#holdings?.shared.desk.wants(facts)) this.#fetcher?.fetch();
  }

  async answer(
    ns: string,
    push: HeldPush,
    outcome: DeliveryOutcome,
    worker: string,
    /** It takes the next push. */
    takesNext: boolean,
    versionTimeoutMs: number | undefined,
  ): Promise<Answered<{ readonly recorded: boolean; readonly next: WorkPush | undefined }>> {
    return this.#asked(async (holdings) => {
      let next: WorkPush | undefined;
      const give = (given: WorkPush) => {
        next = given;
        return true;
      };
      const seat = takesNext ? { worker, give, leave: () => {} } : undefined;
      const recorded = await holdings.answer(ns, push, outcome, { worker, seat, versionTimeoutMs });
      return { recorded, next };
    });
  }

  async giveBack(ns: string, push: HeldPush): Promise<Answered<void>> {
    return this.#asked((holdings) => holdings.giveBack(ns, push));
  }

  async cancelSent(ns: string, runId: string): Promise<void> {
    this.#holdings?.cancelSent(ns, runId);
  }

  async #asked<T>(question: (holdings: Holdings) => Promise<T>): Promise<Answered<T>> {
    try {
      return { type: "done", value: await question(await this.#open()) };
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return { type: "unavailable", message: error.message };
    }
  }

  async #open(): Promise<Holdings> {
    const defer = (work: Promise<unknown>) => this.ctx.waitUntil(work);
    const isolate = isolateOf(this.env);
    this.#workplace ??= openWorkplace(isolate, {
      doubt: doubtTeller(this.env, isolate, defer),
      woken: () => {},
      defer,
    });
    const opening = this.#workplace;
    try {
      return this.#holdingsOf(await opening);
    } catch (error) {
      if (this.#workplace === opening) this.#workplace = undefined;
      throw error;
    }
  }

  #holdingsOf({ isolate, store, delivery, dispatch }: Workplace): Holdings {
    if (this.#holdings) return this.#holdings;
    const onError = (error: unknown, run: string | undefined) =>
      log.error("a run could not be advanced", { run, reason: String(error) });
    const holdings = new Holdings({
      store,
      delivery,
      observer: isolate.observing,
      settings: dispatch,
      wake: (runs) => this.ctx.waitUntil(runs ? wakeRuns(this.env, runs) : sweep(this.env, store)),
      cancelSent: (ns, runId) =>
        this.ctx.waitUntil(
          runObject(this.env, ns, runId)
            .cancelSent(ns, runId)
            .catch(() => {}),
        ),
      draining: () => false,
      left: (hold, outcome) => this.ctx.waitUntil(this.#left(hold, outcome).catch(() => {})),
      onError,
    });
    this.#holdings = holdings;
    this.#fetcher = new Fetcher({
      shared: holdings.shared,
      room: () => MOST_HELD - holdings.size,
      accept: (run) => holdings.accept(run),
      onError,
    });
    return holdings;
  }

  async #left({ state }: Hold, outcome: Outcome | undefined): Promise<void> {
    const { ns, id } = state.facts;
    const run = runObject(this.env, ns, id);
    if (outcome?.type === "ended") sayEnded(this.env, ns, id);
    writeDownSoon(isolateOf(this.env), (work) => this.ctx.waitUntil(work));
    if (outcome?.type === "ended" || outcome?.type === "parked") await run.tell(ns, id, outcome.type === "ended");
    // A worker may die with it: its object looks again when the lease ends.
    if (outcome?.type === "handed") await run.lookAt(ns, id, await this.#leaseEnd());
    if (outcome?.type !== "parked") return;
    if (outcome.dueAt !== null) await run.wakeAt(ns, id, outcome.dueAt);
    if (state.trouble?.code === "WORKFLOW_NOT_SERVED") await this.unserved(state.facts);
  }

  /** Of a lease that was taken just now, by the database's clock. */
  async #leaseEnd(): Promise<number> {
    const { shared } = await this.#open();
    return shared.store.now().latest + shared.settings.leaseMs;
  }

  #scan(): void {
    this.#scanning ??= setTimeout(() => {
      this.#scanning = undefined;
      const desk = this.#holdings?.shared.desk;
      desk?.sweep();
      if (!desk || desk.size === 0) return;
      this.#fetcher?.fetch();
      this.#scan();
    }, SCAN_MS);
  }
}
