/** How the people of a simulation reach the API of some replica. */
import { StoreUnavailable } from "../src/store/port.js";
import type { Replica } from "./replica.js";
import type { Surroundings } from "./surroundings.js";

/** Events that a run's mailbox takes. */
export const MAX_QUEUED = 100;
/** How long a client waits for an answer. */
const PATIENCE_MS = 400;

/** One request. What a crash or the network swallows is sent again, until its outcome is known. */
export async function ask(
  { random, replicas, scheduler }: Surroundings,
  call: (replica: Replica) => Promise<void>,
): Promise<void> {
  for (;;) {
    const accepting = replicas.filter((replica) => replica.accepting);
    const replica = random.pick(accepting.length > 0 ? accepting : replicas);
    const outcome = await new Promise<"done" | "unknown">((resolve, reject) => {
      call(replica).then(
        () => resolve("done"),
        (error: unknown) => (error instanceof StoreUnavailable ? resolve("unknown") : reject(error)),
      );
      scheduler.after(PATIENCE_MS, undefined, "client gives up", () => resolve("unknown"));
    });
    if (outcome === "done") return;
    await scheduler.sleep(random.int(5, 30), undefined, "client");
  }
}
