/**
 * A worker: asks some orchestrator for runs, carries them out with the product's replay, extends its leases and brings its
 * answers to whatever orchestrator a load balancer picks. Requests and answers are lost, doubled and late; the process
 * dies, and another one begins.
 */
import { type HeldPush, newId, type WorkPollAnswer, type WorkPush } from "@aikirun/protocol";
import type { DeliveryOutcome } from "../src/dispatch/delivery.js";
import { StoreUnavailable } from "../src/store/port.js";
import type { Instance, Reply } from "./endpoint.js";
import type { Ledger } from "./ledger.js";
import { asOutcome, wireCopy } from "./network.js";
import type { Replica } from "./replica.js";
import type { Process } from "./scheduler.js";
import { NS, type Surroundings } from "./surroundings.js";
import { EVENTS, VERSION, VERSION_TIMEOUT_MS } from "./workflows.js";

const POLL_MS = 60;
const ROOM = 3;
const WATCH_MS = 20;

interface Work {
  readonly push: HeldPush;
  readonly timeoutAt: number | undefined;
  readonly gone: AbortController;
}

export class SimulatedWorker {
  readonly #world: Surroundings;
  readonly #ledger: Ledger;
  readonly #instance: Instance;
  readonly #versions = Object.keys(EVENTS).map((workflow) => ({
    workflow,
    version: VERSION,
    timeoutMs: VERSION_TIMEOUT_MS[workflow],
  }));
  #process: Process;
  #id = "";
  #works = new Map<string, Work>();

  constructor(world: Surroundings, ledger: Ledger, instance: Instance) {
    this.#world = world;
    this.#ledger = ledger;
    this.#instance = instance;
    this.#process = instance.process;
    this.#begin();
    this.#watch();
  }

  /** A process that has died has a successor, which knows nothing of it. */
  #watch(): void {
    this.#world.scheduler.after(WATCH_MS, undefined, "worker watch", () => {
      if (this.#instance.process !== this.#process) this.#begin();
      this.#watch();
    });
  }

  #begin(): void {
    const { random, now, fail } = this.#world;
    this.#process = this.#instance.process;
    this.#id = newId("worker", now(), random.bytes(16));
    this.#works = new Map();
    this.#poll(this.#process).catch(fail);
    this.#extend(this.#process).catch(fail);
  }

  async #poll(process: Process): Promise<void> {
    const { random, scheduler, pool } = this.#world;
    const pools = pool === undefined ? [] : [pool];
    while (process.alive) {
      const room = ROOM - this.#works.size;
      const asked = { ns: NS, worker: this.#id, versions: this.#versions, pools, room };
      if (room > 0) {
        const gone = new AbortController();
        const poll = (replica: Replica) => replica.dispatcher.poll(asked, POLL_MS, gone.signal);
        const lost = ({ pushes }: WorkPollAnswer, replica: Replica) => {
          for (const { push } of pushes) this.#giveBack(heldPush(push), replica);
        };
        const answer = await this.#request(process, "poll", POLL_MS, poll, lost, gone);
        for (const { pushId } of answer?.gone ?? []) this.#works.get(pushId)?.gone.abort();
        for (const push of answer?.pushes ?? []) this.#carryOut(wireCopy(push), process).catch(this.#world.fail);
      }
      await scheduler.sleep(random.int(1, 5), process, "worker");
    }
  }

  async #carryOut(first: WorkPush, process: Process): Promise<void> {
    for (let next: WorkPush | undefined = first; next && process.alive; ) {
      const { push, timeoutAt } = next as WorkPush;
      const work = { push: heldPush(push), timeoutAt, gone: new AbortController() };
      this.#works.set(push.pushId, work);
      const invocation = this.#ledger.invoked(push);
      const reply = await this.#instance.handle(push, invocation, work.gone.signal);
      next = work.gone.signal.aborted
        ? undefined
        : await this.#bring(work, reply, process, invocation.push, VERSION_TIMEOUT_MS[push.run.workflow]);
      this.#works.delete(push.pushId);
    }
  }

  /** The same answer again, until its outcome is known or nobody wants it any more. */
  async #bring(
    work: Work,
    reply: Reply,
    process: Process,
    told: { answered: boolean },
    versionTimeoutMs: number | undefined,
  ): Promise<WorkPush | undefined> {
    const { random, scheduler } = this.#world;
    const outcome: DeliveryOutcome = asOutcome(wireCopy(reply));
    while (process.alive && !work.gone.signal.aborted) {
      const answer = async (replica: Replica) => {
        told.answered = true;
        let next: WorkPush | undefined;
        const give = (push: WorkPush) => {
          next = push;
          return true;
        };
        const seat = { worker: this.#id, give, leave: () => {} };
        await replica.dispatcher.answer(NS, work.push, outcome, {
          worker: this.#id,
          seat: random.chance(0.9) ? seat : undefined,
          versionTimeoutMs,
        });
        return { next };
      };
      const lost = ({ next }: { next: WorkPush | undefined }, replica: Replica) => {
        if (next) this.#giveBack(heldPush(next.push), replica);
      };
      const answered = await this.#request(process, "answer", 0, answer, lost);
      if (answered) return answered.next && wireCopy(answered.next);
      await scheduler.sleep(random.int(5, 30), process, "worker");
    }
    return undefined;
  }

  async #extend(process: Process): Promise<void> {
    const { scheduler, leaseMs } = this.#world;
    while (process.alive) {
      await scheduler.sleep(leaseMs / 3, process, "worker extends");
      for (const work of [...this.#works.values()]) {
        const ask = async (replica: Replica) => ({
          lease: await replica.dispatcher.extend(NS, work.push, work.timeoutAt),
        });
        void this.#request(process, "extend", 0, ask).then((told) => {
          if (told && (!told.lease || told.lease.cancelRequested)) work.gone.abort();
        }, this.#world.fail);
      }
    }
  }

  /** Sometimes the orchestrator notices that its answer did not arrive. */
  #giveBack(push: HeldPush, replica: Replica): void {
    if (this.#world.random.chance(0.5)) replica.dispatcher.giveBack(NS, push).catch(() => {});
  }

  /** One request to some replica. Undefined when the worker does not learn what came of it. */
  #request<T>(
    process: Process,
    label: string,
    holdMs: number,
    call: (replica: Replica) => Promise<T>,
    lost: (result: T, replica: Replica) => void = () => {},
    gone?: AbortController,
  ): Promise<T | undefined> {
    const { random, scheduler, faults, replicas, fail } = this.#world;
    return new Promise((resolve) => {
      const patienceMs = faults.rate > 0 ? holdMs + random.int(40, 500) : 1_000_000;
      const giveUp = scheduler.after(patienceMs, process, `${label} gives up`, () => {
        if (random.chance(0.5)) gone?.abort();
        resolve(undefined);
      });
      const accepting = replicas.filter((one) => one.accepting);
      const arrive = (replica: Replica): void => {
        call(replica).then(
          (result) => {
            if (faults.strikes(0.4)) return lost(result, replica);
            scheduler.after(faults.hopMs(), process, `${label} answered`, () => {
              giveUp();
              resolve(result);
            });
          },
          (error: unknown) => {
            if (!(error instanceof StoreUnavailable) && !isBusy(error)) return fail(error);
            scheduler.after(faults.hopMs(), process, `${label} refused`, () => {
              giveUp();
              resolve(undefined);
            });
          },
        );
      };
      const deliveries = faults.strikes(0.4) ? 0 : label === "answer" && faults.strikes(0.4) ? 2 : 1;
      for (let i = 0; i < deliveries; i++) {
        const replica = random.pick(accepting.length > 0 ? accepting : replicas);
        scheduler.after(faults.hopMs(), replica.process, `${label} arrives`, () => arrive(replica));
      }
    });
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "OVERLOADED";
}

function heldPush({ run, pushId, fence }: WorkPush["push"]): HeldPush {
  return { runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen };
}
