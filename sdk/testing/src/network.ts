/** The way from an orchestrator to the endpoint and back, with the faults that a test asks for. */
import { AikiError, type ExecuteRequest } from "@aikirun/protocol";
import type { CheckpointOutcome, Delivery, DeliveryOutcome, Route } from "@aikirun/server/testing";
import type { Endpoint, EndpointOptions } from "./endpoint.js";
import type { FaultPlan } from "./faults.js";
import type { Orchestrators, Process } from "./orchestrators.js";
import type { Versions } from "./versions.js";
import type { World } from "./world.js";

export interface NetworkOptions {
  readonly world: World;
  readonly faults: FaultPlan;
  readonly versions: Versions;
  readonly budgetMs: number;
  readonly endpoint: () => Endpoint;
  readonly orchestrators: () => Orchestrators;
}

export const NAMESPACE = "default";
const ENDPOINT_CONCURRENCY = 10_000;

export function network(options: NetworkOptions): (process: Process) => Delivery {
  const { world, versions, budgetMs } = options;
  const route: Route = { endpointId: "ep", url: "test", budgetMs, concurrency: ENDPOINT_CONCURRENCY };
  return (process) => ({
    route({ workflow, version, parent }) {
      if (versions.get(workflow, version)) return route;
      const who = parent ? `Run ${parent.id} starts a child of` : "A run was started of";
      world.blame(
        new AikiError(
          "WORKFLOW_NOT_SERVED",
          `${who} ${workflow}@${version}, which this test does not serve. Give it to testAiki.`,
        ),
      );
      return undefined;
    },
    deliver: (_route, _ns, request, signal) => deliver(options, process, request, signal),
  });
}

function deliver(
  { world, faults, endpoint, orchestrators }: NetworkOptions,
  process: Process,
  request: ExecuteRequest,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const { run } = request;
  return new Promise((resolve) => {
    const answer = (outcome: DeliveryOutcome): void => {
      world.stir();
      if (process.alive) resolve(outcome);
    };
    signal.addEventListener("abort", () => answer(LOST), { once: true });
    if (!process.alive) return;
    if (faults.strikes("failDelivery", run)) return answer(REFUSED);
    const doubled = faults.strikes("doublePush", run);
    const first = endpoint().handle(request, signal);
    const blame = (error: unknown): void => world.blame(error);
    if (doubled) endpoint().handle(request, signal).catch(blame);
    first.then((outcome) => {
      if (process.alive && faults.strikes("crash", run)) return orchestrators().crash();
      answer(faults.strikes("loseAnswer", run) ? LOST : outcome);
    }, blame);
  });
}

/** Undefined: nobody learns what became of the checkpoint. */
export function recorder({ faults, orchestrators }: NetworkOptions): NonNullable<EndpointOptions["record"]> {
  return async ({ run }, body): Promise<CheckpointOutcome | undefined> => {
    const outcome = await orchestrators().current.checkpoint(NAMESPACE, body);
    return faults.strikes("loseAcknowledgement", run) ? undefined : outcome;
  };
}

const LOST: DeliveryOutcome = {
  type: "failed",
  code: "CONNECTION_LOST",
  message: "The answer was lost, as the test asked for.",
  reach: "lost",
};
const REFUSED: DeliveryOutcome = {
  type: "failed",
  code: "CONNECTION_REFUSED",
  message: "The push did not arrive, as the test asked for.",
  reach: "refused",
};
