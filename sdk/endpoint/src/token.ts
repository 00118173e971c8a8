/** The outside of a push token: a compact JWS (RFC 7515), taken apart but not yet believed. */
import { decodeBase64url, PUSH_TOKEN_TYPE } from "@aikirun/protocol";
import { unauthenticated } from "./refusal.js";

export interface Token {
  readonly text: string;
  readonly alg: string;
  readonly kid: string;
  /** The bytes that were signed. */
  readonly signed: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** Bytes of the longest token that is looked at. */
const TOKEN_CHARS = 8 * 1024;
const KID_CHARS = 128;

/** The token of a request: from `Aiki-Signature` when a proxy owns `Authorization`, else from there. */
export function readToken(header: (name: string) => string | undefined): Token {
  const value = header("aiki-signature") ?? header("authorization");
  if (value === undefined)
    throw unauthenticated("The request carries no token: it does not come from an orchestrator.");
  if (value.length > TOKEN_CHARS) throw unauthenticated(`The token is longer than ${TOKEN_CHARS} characters.`);
  const text = /^(?:bearer +)?([A-Za-z0-9_.-]+)$/i.exec(value)?.[1];
  if (text === undefined) throw unauthenticated("The authorization is not one bearer token.");
  return parseToken(text);
}

function parseToken(text: string): Token {
  const parts = text.split(".");
  const [header, payload, signature] = parts.map(decodeBase64url);
  if (parts.length !== 3 || !header || !payload || !signature) throw unauthenticated("The token is not a compact JWS.");
  const { alg, kid, typ, crit, b64 } = parseHeader(header);
  if (typ !== PUSH_TOKEN_TYPE) throw unauthenticated("The token is of another type: it was not made for a push.");
  // RFC 7515 section 4.1.11: an extension that is not understood makes the token invalid. None is understood here.
  if (crit !== undefined || b64 !== undefined) throw unauthenticated("The token asks for an extension of JWS.");
  if (typeof alg !== "string") throw unauthenticated("The token names no algorithm.");
  if (typeof kid !== "string" || kid.length > KID_CHARS) throw unauthenticated("The token names no key.");
  const signed = new TextEncoder().encode(text.slice(0, text.lastIndexOf(".")));
  return { text, alg, kid, signed, payload, signature };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  const header = parseObject(bytes);
  if (!header) throw unauthenticated("The token's header is not a JSON object.");
  return header;
}

/** Undefined when the bytes are not the UTF-8 text of a JSON object. */
export function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
