/** Pushes on their way: they are refused, lost, doubled and delayed, and so are their answers. */
import type { CheckpointBody, ExecuteRequest } from "@aikirun/protocol";
import type { CheckpointOutcome } from "../src/dispatch/checkpoint.js";
import type { Delivery, DeliveryOutcome, Route } from "../src/dispatch/delivery.js";
import { StoreUnavailable } from "../src/store/port.js";
import type { BackgroundWork } from "./background.js";
import type { Instance, Reply } from "./endpoint.js";
import type { Faults } from "./faults.js";
import type { Invocation, Ledger } from "./ledger.js";
import type { Random } from "./random.js";
import type { Replica } from "./replica.js";
import type { Process, Scheduler } from "./scheduler.js";
import { NS } from "./surroundings.js";
import { Violation } from "./violation.js";
import { VERSION_TIMEOUT_MS } from "./workflows.js";

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly instances: readonly Instance[];
  /** Whether an endpoint that has this workflow is registered. */
  readonly serves: (workflow: string) => boolean;
  /** Whether the run is paused, and under this very fence. */
  readonly isPaused: (runId: string, fence: ExecuteRequest["fence"]) => boolean;
  /** Whether invocations are offered checkpoints. */
  readonly checkpoints: boolean;
  readonly background: BackgroundWork;
  readonly fail: (error: unknown) => void;
}

/** The connection of one dispatcher process to the endpoint. */
export function network(process: Process, options: NetworkOptions): Delivery {
  const { scheduler, random, faults, ledger } = options;
  // A short one ends invocations in the middle. Without faults every task fits into half of it, so that none runs twice.
  const budgetMs = random.chance(0.5) ? random.int(faults.rate > 0 ? 60 : 170, 400) : 5_000;
  const route: Route = { endpointId: "ep", url: "https://endpoint.test/", budgetMs, concurrency: 100 };

  function offered(request: ExecuteRequest): ExecuteRequest {
    const offers = options.checkpoints && random.chance(0.9);
    return offers ? { ...request, checkpoint: ACCESS } : request;
  }

  function withCallback(request: ExecuteRequest): ExecuteRequest {
    const { checkpoint } = request;
    return checkpoint ? { ...request, checkpoint: { ...checkpoint, ...options.background.offer() } } : request;
  }

  function refusePaused({ run, fence }: ExecuteRequest): void {
    if (!options.isPaused(run.id, fence)) return;
    options.fail(new Violation("PAUSE", `${run.id} is pushed, and its pause is written`));
  }

  /** One delivery of the request to one instance. */
  function arrive(
    request: ExecuteRequest,
    signal: AbortSignal,
    answered: (reply: Reply, from: Invocation) => void,
  ): void {
    const instance = random.pick(options.instances);
    const invocation = ledger.invoked(request);
    instance
      .handle(wireCopy(withCallback(offered(request))), invocation, signal)
      .then((reply) => answered(wireCopy(reply), invocation), options.fail);
  }

  return {
    route: ({ workflow, pool }) => (pool === undefined && options.serves(workflow) ? route : undefined),
    versionTimeoutMs: ({ workflow }) => (options.serves(workflow) ? VERSION_TIMEOUT_MS[workflow] : undefined),
    forWorker: (_ns, request) => {
      refusePaused(request);
      return offered(request);
    },
    deliver: (_route, _ns, request, signal) =>
      new Promise<DeliveryOutcome>((resolve) => {
        refusePaused(request);
        let settled = false;
        let stopWaiting = () => {};
        const settle = (outcome: DeliveryOutcome) => {
          settled = true;
          stopWaiting();
          resolve(outcome);
        };
        const later = (ms: number, label: string, outcome: DeliveryOutcome) =>
          scheduler.after(ms, process, label, () => settle(outcome));
        // The caller goes on at once; the endpoint may or may not notice.
        signal.addEventListener("abort", () => settle(failed("lost")), { once: true });
        if (faults.endpointAway) return void later(5, "push fails", failed(faults.endpointAway));
        if (faults.strikes(0.2)) return void later(faults.hopMs(), "push refused", failed("refused"));
        if (faults.strikes(0.2)) {
          return void later(5, "push busy", { type: "busy", retryAfterMs: random.int(0, 60), message: "busy" });
        }
        if (faults.rate > 0) {
          const patienceMs = faults.healed ? 10_000 : random.int(40, 400);
          stopWaiting = later(patienceMs, "push gives up", failed(random.chance(0.3) ? "timeout" : "lost"));
        }
        if (faults.strikes(0.5)) return;
        const reached = new AbortController();
        if (random.chance(0.5)) signal.addEventListener("abort", () => reached.abort(), { once: true });
        const answered = (reply: Reply, from: Invocation) => {
          if (faults.strikes(0.5)) return;
          scheduler.after(faults.hopMs(), process, `push ${reply.type}`, () => {
            if (settled) return;
            const garbled = reply.type === "answer" && faults.strikes(0.2);
            if (reply.type !== "callback") from.push.answered = !garbled;
            settle(garbled ? garble(reply, request, random) : asOutcome(reply));
          });
        };
        const deliveries = faults.strikes(0.4) ? 2 : 1;
        for (let i = 0; i < deliveries; i++) {
          scheduler.after(faults.hopMs(), undefined, `${process.name} push arrives`, () => {
            try {
              arrive(request, reached.signal, answered);
            } catch (error) {
              options.fail(error);
            }
          });
        }
      }),
  };
}

const ACCESS = { url: "https://aiki.test/", token: "t" };

export interface CheckpointLinkOptions extends Pick<NetworkOptions, "scheduler" | "random" | "faults" | "fail"> {
  readonly replicas: readonly Replica[];
}

/** The way of a checkpoint through a load balancer, which knows nothing of who pushed the run. */
export function checkpointLink(options: CheckpointLinkOptions) {
  const { scheduler, random, faults, replicas, fail } = options;
  return (from: Process, body: CheckpointBody): Promise<CheckpointOutcome | undefined> =>
    new Promise((resolve) => {
      const patienceMs = faults.rate > 0 ? random.int(20, 300) : 1_000_000;
      const giveUp = scheduler.after(patienceMs, from, "checkpoint gives up", () => resolve(undefined));
      const answered = (outcome: CheckpointOutcome): void => {
        if (faults.strikes(0.5)) return;
        scheduler.after(faults.hopMs(), from, `checkpoint ${outcome.type}`, () => {
          giveUp();
          resolve(wireCopy(outcome));
        });
      };
      const arrive = (replica: Replica): void => {
        replica.dispatcher.checkpoint(NS, wireCopy(body)).then(answered, (error: unknown) => {
          if (!(error instanceof StoreUnavailable)) fail(error);
        });
      };
      const deliveries = faults.strikes(0.5) ? 0 : faults.strikes(0.4) ? 2 : 1;
      for (let i = 0; i < deliveries; i++) {
        const listening = replicas.filter((replica) => replica.listening);
        const replica = random.pick(listening.length > 0 ? listening : replicas);
        scheduler.after(faults.hopMs(), replica.process, "checkpoint arrives", () => arrive(replica));
      }
    });
}

/** An answer that no endpoint of ours gives: to another push, or to nothing. */
function garble(
  { answer }: Extract<Reply, { type: "answer" }>,
  { fence }: ExecuteRequest,
  random: Random,
): DeliveryOutcome {
  if (random.chance(0.5)) return { type: "answer", answer: { ...answer, pushId: "push_other" } };
  return { type: "answer", answer: { ...answer, seq: fence.seq, state: "more", commands: [] } };
}

function failed(reach: "refused" | "lost" | "timeout"): DeliveryOutcome {
  return {
    type: "failed",
    code: reach === "refused" ? "CONNECTION_REFUSED" : "CONNECTION_LOST",
    message: reach,
    reach,
  };
}

export function asOutcome(reply: Reply): DeliveryOutcome {
  return reply.type === "diverged" ? { ...reply, message: "diverged" } : reply;
}

export function wireCopy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
