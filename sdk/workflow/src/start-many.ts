import type { StartRunBody, WorkflowClient } from "@aikirun/protocol";
import { AikiError } from "@aikirun/protocol/canonical";
import type { EventMap } from "./event.js";
import { type RunHandle, runHandle } from "./handle.js";

/** How one start of many went. `existing`: its reference id already had this run. */
export type StartOutcome<Output, Events extends EventMap> =
  | { readonly success: true; readonly existing: boolean; readonly handle: RunHandle<Output, Events> }
  | { readonly success: false; readonly error: AikiError };

/** What is refused here never reaches the client, and keeps nothing else from starting. */
export async function startMany<Output, Events extends EventMap>(
  client: WorkflowClient,
  events: Events,
  bodies: readonly Promise<StartRunBody>[],
): Promise<StartOutcome<Output, Events>[]> {
  const made = await Promise.all(bodies.map((body) => body.catch(refusal)));
  const sent = made.filter((body): body is StartRunBody => !(body instanceof AikiError));
  const started = await client.startRuns(sent);
  let next = 0;
  return made.map((body) => {
    if (body instanceof AikiError) return { success: false, error: body };
    const one = started[next++];
    if (!one) throw new AikiError("BAD_RESPONSE", "The client gave fewer outcomes than there are runs to start.");
    if (one.outcome === "error") return { success: false, error: one.error };
    return { success: true, existing: one.outcome === "existing", handle: runHandle(client, one.run, events) };
  });
}

function refusal(error: unknown): AikiError {
  if (error instanceof AikiError) return error;
  throw error;
}
