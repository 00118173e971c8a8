/** From an HTTP request to a push that this app may believe. */
import { jsonTextDepth, LIMITS, type PushRequest, pushRequestSchema } from "@aikirun/protocol";
import { ownLocation } from "./audience.js";
import { checkBinding, checkClaims } from "./claims.js";
import { type KeySource, noKeys } from "./keys.js";
import { Refusal, unauthenticated } from "./refusal.js";
import { type EndpointRequest, readPushBody } from "./request.js";
import type { Settings } from "./settings.js";
import type { SignatureVerifier } from "./signature.js";
import { readToken, type Token } from "./token.js";

export interface AuthenticPush {
  readonly push: PushRequest;
  /** Bytes of its body. */
  readonly bytes: number;
}

/** Throws a `Refusal`. Time is checked as of the arrival, however long the body takes. */
export async function authenticate(
  request: EndpointRequest,
  settings: Settings,
  verifier: SignatureVerifier,
): Promise<AuthenticPush> {
  const nowS = Math.floor(Date.now() / 1000);
  const body = await readPushBody(request);
  // Without keys no token can be judged, and the operator must hear it whatever the request carried.
  if (settings.keys === noKeys) noKeys.find("");
  const token = readToken((name) => request.header(name));
  await checkSignature(token, settings.keys, verifier);
  const claims = checkClaims(token, {
    namespace: settings.namespace,
    issuer: settings.issuer,
    audience: { urls: settings.urls, origins: settings.origins, own: ownLocation(request) },
    method: request.method,
    bodyHash: await verifier.hash(body),
    nowS,
  });
  const push = parsePush(body);
  checkBinding(claims, push);
  return { push, bytes: body.length };
}

async function checkSignature(token: Token, keys: KeySource, verifier: SignatureVerifier): Promise<void> {
  const key = await keys.find(token.kid);
  if (!key) {
    const known = keys.kids().join(", ") || "none";
    throw unauthenticated(
      `Key kid=${JSON.stringify(token.kid)} is not among the keys of ${keys.name} (${known}). ` +
        "Another orchestrator, or keys were rotated: aiki keys public.",
      "SIGNATURE_INVALID",
    );
  }
  if (!(await verifier.verify(key, token))) {
    throw unauthenticated(`The signature is not one of key kid=${key.kid}.`, "SIGNATURE_INVALID");
  }
}

/** Nesting of the push around a payload. */
const ENVELOPE_DEPTH = 8;

function parsePush(body: Uint8Array): PushRequest {
  let value: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    if (jsonTextDepth(text) > LIMITS.jsonDepth + ENVELOPE_DEPTH) {
      throw new Refusal(400, "JSON_TOO_DEEP", `JSON in a push nests at most ${LIMITS.jsonDepth} deep.`);
    }
    value = JSON.parse(text);
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(400, "INVALID_REQUEST", "The body is not JSON.");
  }
  const parsed = pushRequestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join(".") || "the body"}: ${issue.message}`);
  throw new Refusal(400, "INVALID_REQUEST", `The body is not a push: ${faults.join("; ")}.`);
}
