/** The bytes of a push: with all its history where that is small enough, else with the address where it is read. */
import { CHECKPOINT_HISTORY, type CheckpointAccess, type ExecuteRequest, LIMITS } from "@aikirun/protocol";

export interface PushBody {
  readonly text: string;
  readonly bytes: number;
  /** Whether the history could be left out, and is not. */
  readonly canShrink: boolean;
}

export class PushBodies {
  /** What endpoints take that answered 413 to less than a push may have, by endpoint. */
  readonly #most = new Map<string, number>();

  of(endpointId: string, request: ExecuteRequest, checkpoint: CheckpointAccess | undefined): PushBody {
    const whole = bodyOf(checkpoint ? { ...request, checkpoint } : request);
    if (!checkpoint || request.history.records.length === 0) return { ...whole, canShrink: false };
    if (whole.bytes <= (this.#most.get(endpointId) ?? LIMITS.bodyBytes)) return { ...whole, canShrink: true };
    return { ...bodyOf(withoutRecords(request, checkpoint)), canShrink: false };
  }

  /** So many bytes were too many for it. */
  refused(endpointId: string, bytes: number): void {
    this.#most.set(endpointId, Math.min(this.#most.get(endpointId) ?? LIMITS.bodyBytes, bytes - 1));
  }
}

/** The same for a worker, whose pushes travel in answers of the API. */
export function fitting(request: ExecuteRequest, checkpoint: CheckpointAccess | undefined): ExecuteRequest {
  if (!checkpoint) return request;
  const whole = { ...request, checkpoint };
  return bodyOf(whole).bytes <= LIMITS.bodyBytes ? whole : withoutRecords(request, checkpoint);
}

function withoutRecords(request: ExecuteRequest, checkpoint: CheckpointAccess): ExecuteRequest {
  const history = { ...request.history, records: [], url: checkpoint.url + CHECKPOINT_HISTORY };
  return { ...request, history, checkpoint };
}

function bodyOf(request: ExecuteRequest): { readonly text: string; readonly bytes: number } {
  const text = JSON.stringify(request);
  // A character is at most three bytes: most pushes need no count.
  const small = text.length * 3 <= LIMITS.bodyBytes;
  return { text, bytes: small ? text.length : new TextEncoder().encode(text).byteLength };
}
