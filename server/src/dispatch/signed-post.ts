/** Signs a message and POSTs it to an endpoint: what `execute`, `replay` and `describe` have in common. */
import { type Fence, PROTOCOL_HEADER, PROTOCOL_VERSION, SIGNATURE_HEADER } from "@aikirun/protocol";
import type { Exchange, Exchanged } from "../egress/exchange.js";
import { pushToken, type Signer } from "./sign.js";

/** Where an endpoint is and how it wants to be spoken to. */
export interface PostTarget {
  readonly url: string;
  readonly contentType: string;
  readonly signatureHeader: string;
  /** The headers that the user registered, in clear. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SignedMessage {
  readonly ns: string;
  /** Run id, or endpoint id for `describe`. */
  readonly subject: string;
  readonly pushId: string;
  readonly fence: Fence;
  readonly body: string;
  readonly totalMs: number;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal;
}

export interface Post {
  /** A message's token. It may be made before it is certain that the message is sent. */
  sign(target: PostTarget, message: Omit<SignedMessage, "totalMs" | "maxAnswerBytes" | "signal">): Token;
  send(target: PostTarget, message: SignedMessage, token: Token): Promise<Exchanged>;
}

export type Token = string | Promise<string>;

export interface SignedPostOptions {
  readonly exchange: Exchange;
  readonly signer: () => Signer;
  /** `iss` of every token: the orchestrator's public URL. */
  readonly issuer: () => string;
  readonly now: () => number;
}

export function signedPost({ exchange, signer, issuer, now }: SignedPostOptions): Post {
  return {
    sign(target, { ns, subject: sub, pushId, fence, body }) {
      return pushToken(signer(), { iss: issuer(), aud: target.url, ns, sub, pushId, fence }, body, now());
    },
    async send(target, { body, totalMs, maxAnswerBytes, signal }, token) {
      const headers = headersOf(target, typeof token === "string" ? token : await token);
      return exchange.post({ url: target.url, headers, body, totalMs, maxAnswerBytes, signal });
    },
  };
}

function headersOf(target: PostTarget, token: string): Record<string, string> {
  const headers: Record<string, string> = { ...target.headers };
  headers["content-type"] = target.contentType;
  headers["accept"] = "application/json";
  headers["accept-encoding"] = "identity";
  headers["user-agent"] = "aiki";
  headers[PROTOCOL_HEADER] = String(PROTOCOL_VERSION);
  headers["traceparent"] = traceparent();
  if (target.signatureHeader === SIGNATURE_HEADER) headers[SIGNATURE_HEADER] = token;
  else headers["authorization"] = `Bearer ${token}`;
  return headers;
}

/** W3C Trace Context: a new trace per push. Not marked as sampled: whoever samples decides. */
function traceparent(): string {
  const hex = (crypto.randomUUID() + crypto.randomUUID()).replaceAll("-", "");
  return `00-${hex.slice(0, 32)}-${hex.slice(32, 48)}-00`;
}
