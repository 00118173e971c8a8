/** Asks an endpoint for the last word on a value that does not seem to fit: its schema decides, not what describes it. */
import {
  LIMITS,
  MANIFEST_HEADER,
  newId,
  type ValidateAnswer,
  type ValidateRequest,
  validateAnswerSchema,
} from "@aikirun/protocol";
import { readAnswer } from "./answer.js";
import type { LiveEndpoint } from "./live-endpoint.js";
import type { Post } from "./signed-post.js";

/** Undefined when it did not answer, or not in time. */
export type AskValidity = (
  endpoint: LiveEndpoint,
  asked: Omit<ValidateRequest, "type" | "pushId" | "endpointId">,
) => Promise<ValidateAnswer | undefined>;

export interface ValidateOptions {
  readonly post: Post;
  readonly epoch: number;
  /** Whoever starts a run waits meanwhile. */
  readonly timeoutMs: number;
  /** Called when the endpoint states another manifest than the one that is known. */
  readonly changed: (endpointId: string) => void;
}

const MAX_ANSWER_BYTES = 64 * 1024;

export function validateWith({ post, epoch, timeoutMs, changed }: ValidateOptions): AskValidity {
  return async (endpoint, asked) => {
    const { stored, target, slots } = endpoint;
    const request: ValidateRequest = { type: "validate", pushId: newId("push"), endpointId: stored.id, ...asked };
    const message = {
      ns: stored.ns,
      subject: stored.id,
      pushId: request.pushId,
      fence: { epoch, gen: 0, seq: 0 },
      body: JSON.stringify(request),
      totalMs: timeoutMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      signal: AbortSignal.timeout(timeoutMs),
    };
    if (message.body.length * 3 > LIMITS.bodyBytes) return undefined;
    const waiting = slots.acquire(message.signal);
    if (waiting && !(await waiting)) return undefined;
    const exchanged = await post.send(target, message, post.sign(target, message));
    const reading = readAnswer(target.url, exchanged);
    slots.release(reading.type === "busy" ? "busy" : reading.type === "json" ? "ok" : "other");
    const stated = exchanged.type === "answered" ? exchanged.headers[MANIFEST_HEADER] : undefined;
    if (stated !== undefined && stated !== stored.manifestHash) changed(stored.id);
    if (reading.type !== "json") return undefined;
    const answer = validateAnswerSchema.safeParse(reading.value);
    return answer.success && answer.data.pushId === request.pushId ? answer.data : undefined;
  };
}
