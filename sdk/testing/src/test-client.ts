import type { WorkflowClient } from "@aikirun/protocol";
import { inProcessClient, type Store } from "@aikirun/server/testing";
import type { Ends } from "./ends.js";
import { NAMESPACE } from "./network.js";
import { LEASE_MS, type Orchestrators } from "./orchestrators.js";
import type { World } from "./world.js";

export interface TestClientOptions {
  readonly world: World;
  readonly store: Store;
  readonly orchestrators: Orchestrators;
  readonly newId: (prefix: "run" | "msg") => string;
  readonly ends: Ends;
}

/** The client of one test: what it says has taken effect when it resolves, and waiting lets virtual time pass. */
export function testClient({ world, store, orchestrators, newId, ends }: TestClientOptions): WorkflowClient {
  const client = inProcessClient({
    ns: NAMESPACE,
    services: () => ({ store, dispatcher: orchestrators.current, leaseMs: LEASE_MS }),
    newId,
    waitForEnd: (runId, { timeoutMs, signal }) => ends.wait(runId, timeoutMs, signal),
  });
  const calmed =
    <Given extends unknown[], Answer>(say: (...given: Given) => Promise<Answer>) =>
    async (...given: Given): Promise<Answer> => {
      const answer = await say(...given);
      await world.calm();
      return answer;
    };
  return {
    ...client,
    startRun: calmed(client.startRun),
    startRuns: calmed(client.startRuns),
    sendEvent: calmed(client.sendEvent),
    multicastEvent: calmed(client.multicastEvent),
    cancelRun: calmed(client.cancelRun),
    pauseRun: calmed(client.pauseRun),
    resumeRun: calmed(client.resumeRun),
    wakeupRun: calmed(client.wakeupRun),
    retryRun: calmed(client.retryRun),
    requeueRun: calmed(client.requeueRun),
  };
}
