/** Asks an endpoint who it is. The nonce in the answer shows that it answered this question and not an older one. */
import {
  type DescribeRequest,
  describeAnswerSchema,
  MANIFEST_HEADER,
  type Manifest,
  newId,
  PROTOCOL_VERSION,
  sha256Hex,
} from "@aikirun/protocol";
import { badAnswer, ownRefusal, readAnswer } from "./answer.js";
import type { Refusal } from "./refusal.js";
import type { Post, PostTarget } from "./signed-post.js";

export interface Described {
  readonly manifest: Manifest;
  /** As the endpoint states it with every answer. */
  readonly manifestHash: string;
}

export type Describe = (
  target: PostTarget,
  ns: string,
  endpointId: string,
  signal: AbortSignal,
) => Promise<Described | Refusal>;

/** A manifest with the JSON Schemas of a thousand workflows still fits. */
const MAX_MANIFEST_BYTES = 1024 * 1024;

export interface DescribeOptions {
  readonly post: Post;
  readonly epoch: number;
  /** A cold start may compile the whole application first. */
  readonly timeoutMs: number;
}

export function describeWith({ post, epoch, timeoutMs }: DescribeOptions): Describe {
  return async (target, ns, endpointId, signal) => {
    const request: DescribeRequest = { type: "describe", pushId: newId("push"), endpointId, nonce: newNonce() };
    const message = {
      ns,
      subject: endpointId,
      pushId: request.pushId,
      fence: { epoch, gen: 0, seq: 0 },
      body: JSON.stringify(request),
      totalMs: timeoutMs,
      maxAnswerBytes: MAX_MANIFEST_BYTES,
      signal,
    };
    const exchanged = await post.send(target, message, post.sign(target, message));
    const reading = readAnswer(target.url, exchanged);
    if (reading.type === "failed") return reading.refusal;
    if (reading.type === "busy") return { code: "BUSY", message: reading.message };
    if (reading.type === "error") return ownRefusal(target.url, reading.status, reading.error);
    if (reading.type === "accepted") return badAnswer(target.url, "answered describe with 202");
    const stated = exchanged.type === "answered" ? exchanged.headers[MANIFEST_HEADER] : undefined;
    return accept(target.url, request, reading.value, stated);
  };
}

function accept(
  url: string,
  request: DescribeRequest,
  value: unknown,
  stated: string | undefined,
): Described | Refusal {
  const answer = describeAnswerSchema.safeParse(value);
  if (!answer.success) {
    const at = answer.error.issues[0]?.path.join(".") || "the body";
    return badAnswer(url, `answered describe with something that is not a manifest (at ${at})`);
  }
  const { nonce, pushId, manifest } = answer.data;
  if (nonce !== request.nonce || pushId !== request.pushId) return badAnswer(url, "answered another describe");
  const { min, max } = manifest.protocol;
  if (min > PROTOCOL_VERSION || max < PROTOCOL_VERSION) {
    const message = `The endpoint speaks protocol ${min} to ${max}, this orchestrator ${PROTOCOL_VERSION}. Update the older of the two.`;
    return { code: "PROTOCOL_UNSUPPORTED", message };
  }
  return { manifest, manifestHash: stated ?? sha256Hex(JSON.stringify(manifest)) };
}

function newNonce(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
