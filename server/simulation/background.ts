/**
 * Endpoints that answer a push with 202 and bring what came of it later: over the same load balancer as checkpoints, with
 * what is lost, doubled and late on the way. What the SDK does in `background.ts`, in virtual time.
 */
import type { ExecuteRequest, HeldPush } from "@aikirun/protocol";
import { StoreUnavailable } from "../src/store/port.js";
import type { Reply } from "./endpoint.js";
import type { Push } from "./ledger.js";
import { asOutcome, type CheckpointLinkOptions, wireCopy } from "./network.js";
import { Random } from "./random.js";
import type { Process } from "./scheduler.js";
import { NS } from "./surroundings.js";
import { VERSION_TIMEOUT_MS } from "./workflows.js";

export interface BackgroundOptions extends CheckpointLinkOptions {
  readonly seed: number;
}

/** Without faults no deadline passes. */
const UNHURRIED_MS = 100_000;

export class BackgroundWork {
  readonly #options: BackgroundOptions;
  /** Of its own, so that a world without background work is the same with or without this file. */
  readonly #random: Random;
  readonly #happens: boolean;

  constructor(options: BackgroundOptions) {
    this.#options = options;
    // Any other seed.
    this.#random = new Random(options.seed + 0xca11);
    this.#happens = this.#random.chance(0.4);
  }

  /** What a push offers in this world. */
  offer(): { readonly callbackMs?: number } {
    const { faults } = this.#options;
    if (!this.#happens || this.#random.chance(0.2)) return {};
    return { callbackMs: faults.rate > 0 ? this.#random.int(60, 1_500) : UNHURRIED_MS };
  }

  /** The reply, or a 202 in its place. */
  async replyTo(
    request: ExecuteRequest,
    process: Process,
    told: Push,
    work: Promise<Reply>,
    outlives: (endsInMs: number) => AbortController,
  ): Promise<Reply> {
    const { scheduler, fail } = this.#options;
    const { run, pushId, fence, checkpoint } = request;
    if (checkpoint?.callbackMs === undefined) return work;
    const patience = scheduler.sleep(this.#random.int(0, 40), process, "endpoint is patient");
    const reply = await Promise.race([work, patience.then(() => undefined)]);
    if (reply) return reply;
    const deadlineMs = checkpoint.callbackMs;
    const deadlineAt = scheduler.now + deadlineMs;
    const gone = outlives(deadlineMs);
    const push = { runId: run.id, pushId, epoch: fence.epoch, gen: fence.gen };
    let isDone = false;
    this.#watch(push, process, () => isDone, gone).catch(fail);
    work
      .then((done) => {
        isDone = true;
        const timeoutMs = VERSION_TIMEOUT_MS[run.workflow];
        return gone.signal.aborted ? undefined : this.#bring(push, process, done, timeoutMs, told, deadlineAt);
      })
      .catch(fail);
    return { type: "callback", promise: { ...push, seq: fence.seq, callback: true, deadlineMs } };
  }

  async #watch(push: HeldPush, process: Process, isDone: () => boolean, gone: AbortController): Promise<void> {
    const { scheduler, replicas } = this.#options;
    while (process.alive && !isDone()) {
      await scheduler.sleep(this.#random.int(20, 120), process, "endpoint looks");
      const wanted = await this.#request(process, "look", (i) => replicas[i]?.dispatcher.isWanted(NS, push));
      if (wanted === false) return gone.abort();
    }
  }

  /** Again and again, until it is taken, stale or long after its time. */
  async #bring(
    push: HeldPush,
    process: Process,
    reply: Reply,
    timeoutMs: number | undefined,
    told: Push,
    deadlineAt: number,
  ): Promise<void> {
    const { scheduler, replicas } = this.#options;
    while (process.alive && scheduler.now < deadlineAt + 500) {
      const brought = await this.#request(process, "callback", async (i) => {
        const outcome = await replicas[i]?.dispatcher.callback(NS, push, asOutcome(wireCopy(reply)), timeoutMs);
        if (outcome === "taken") told.answered = true;
        return outcome;
      });
      if (brought === "taken" || brought === "stale") return;
      await scheduler.sleep(this.#random.int(5, 30), process, "endpoint tries again");
    }
  }

  /** One request to some replica, or the same twice. Undefined when the endpoint does not learn what came of it. */
  #request<T>(process: Process, label: string, call: (replica: number) => Promise<T> | undefined) {
    const { scheduler, faults, replicas, fail } = this.#options;
    return new Promise<T | undefined>((resolve) => {
      const patienceMs = faults.rate > 0 ? this.#random.int(40, 400) : UNHURRIED_MS;
      const giveUp = scheduler.after(patienceMs, process, `${label} gives up`, () => resolve(undefined));
      const answered = (result: T | undefined): void => {
        if (faults.strikes(0.4)) return;
        scheduler.after(faults.hopMs(), process, `${label} answered ${String(result)}`, () => {
          giveUp();
          resolve(result);
        });
      };
      const arrive = (replica: number): void => {
        call(replica)?.then(answered, (error: unknown) => {
          if (!(error instanceof StoreUnavailable)) fail(error);
        });
      };
      const deliveries = faults.strikes(0.4) ? 0 : faults.strikes(0.4) ? 2 : 1;
      for (let i = 0; i < deliveries; i++) {
        const listening = replicas.flatMap(({ listening }, at) => (listening ? [at] : []));
        const at = this.#random.pick(listening.length > 0 ? listening : [0]);
        scheduler.after(faults.hopMs(), replicas[at]?.process, `${label} arrives`, () => arrive(at));
      }
    });
  }
}
