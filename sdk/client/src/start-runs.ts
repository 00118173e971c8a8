import type { StartRunBody, StartRunOutcome, StartRunsResult } from "@aikirun/protocol";
import { AikiError, LIMITS, newId } from "@aikirun/protocol/canonical";
import { errorFrom } from "./answer.js";
import { jsonOrThrow } from "./payload.js";
import type { Transport } from "./transport.js";

/** Bytes of a request around its runs. */
const ENVELOPE_BYTES = 1_024;

/** As many requests as the bounds of one ask for, one after another; an outcome for each run, in the order given. */
export async function startRuns(send: Transport, bodies: readonly StartRunBody[]): Promise<StartRunOutcome[]> {
  const outcomes: StartRunOutcome[] = [];
  let batch: { readonly place: number; readonly body: StartRunBody }[] = [];
  let bytes = 0;
  const flush = async () => {
    if (batch.length === 0) return;
    const runs = batch.map(({ body }) => body);
    const result = await send<StartRunsResult>({ method: "POST", path: "/v1/runs/batch", body: { runs } });
    for (const [i, { place }] of batch.entries()) outcomes[place] = outcomeOf(result.outcomes[i]);
    batch = [];
    bytes = 0;
  };
  for (const [place, given] of bodies.entries()) {
    const body = sendable(given);
    if (body instanceof AikiError) {
      outcomes[place] = { outcome: "error", error: body };
      continue;
    }
    const size = new TextEncoder().encode(JSON.stringify(body)).length + 1;
    if (batch.length >= LIMITS.batchRuns || bytes + size > LIMITS.bodyBytes - ENVELOPE_BYTES) await flush();
    batch.push({ place, body });
    bytes += size;
  }
  await flush();
  return outcomes;
}

/** With an id, so that a request that is sent again starts nothing twice. */
function sendable(body: StartRunBody): StartRunBody | AikiError {
  try {
    const input = jsonOrThrow(body.input, `The input of ${body.workflow}`);
    return { ...body, id: body.id ?? newId("run"), input };
  } catch (error) {
    if (error instanceof AikiError) return error;
    throw error;
  }
}

function outcomeOf(outcome: StartRunsResult["outcomes"][number] | undefined): StartRunOutcome {
  if (!outcome) {
    throw new AikiError("BAD_RESPONSE", "The orchestrator answered a batch with fewer outcomes than it has runs.");
  }
  return outcome.outcome === "error" ? { outcome: "error", error: errorFrom(outcome.error, {}) } : outcome;
}
