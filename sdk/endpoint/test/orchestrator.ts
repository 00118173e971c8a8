/** The other side of the wire, for tests: makes pushes and signs them with jose, and badly on purpose with node:crypto. */
import { createHash, createPrivateKey, type KeyObject, sign as nodeSign } from "node:crypto";
import { request } from "node:http";
import { formatPublicKey, newId, PUSH_CONTENT_TYPE, type PublicKey, publicKeyFromJwk } from "@aikirun/protocol";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

export interface SigningKey {
  readonly alg: "Ed25519" | "ES256";
  readonly kid: string;
  readonly text: string;
  readonly publicKey: PublicKey;
  readonly publicJwk: JWK;
  readonly private: KeyObject;
}

export async function signingKey(alg: "Ed25519" | "ES256"): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const publicKey = publicKeyFromJwk(publicJwk);
  if (!publicKey) throw new Error("jose made a key that is none");
  const privateKey = createPrivateKey({ key: (await exportJWK(pair.privateKey)) as never, format: "jwk" });
  return { alg, kid: publicKey.kid, text: formatPublicKey(publicKey), publicKey, publicJwk, private: privateKey };
}

export const bodyHash = (body: string | Uint8Array): string => createHash("sha256").update(body).digest("base64url");
export const nowS = (): number => Math.floor(Date.now() / 1000);

export interface Push {
  readonly type: "execute" | "describe" | "replay" | "validate";
  readonly pushId: string;
  readonly [member: string]: unknown;
}

/** A push that starts `hello@1.0.0`. */
export function executePush(over: Record<string, unknown> = {}, run: Record<string, unknown> = {}): Push {
  return {
    type: "execute",
    pushId: newId("push"),
    fence: { epoch: 1, gen: 3, seq: 7 },
    run: {
      id: newId("run"),
      workflow: "hello",
      version: "1.0.0",
      input: { name: "Ada" },
      runAttempt: 1,
      createdAt: Date.now(),
      options: {},
      ...run,
    },
    history: { records: [], head: { n: 0, hash: "" } },
    budgetMs: 30_000,
    ...over,
  };
}

export function describePush(over: Record<string, unknown> = {}): Push {
  return { type: "describe", pushId: newId("push"), endpointId: newId("ep"), nonce: "0123456789abcdef", ...over };
}

/** The claims that fit a push. */
export function claimsOf(push: Push, body: string | Uint8Array, url: string): Record<string, unknown> {
  const { run, endpointId, fence } = push as unknown as { run?: { id: string }; endpointId?: string; fence?: object };
  const iat = nowS();
  return {
    iss: "http://orchestrator.test",
    aud: url,
    ns: "default",
    sub: run?.id ?? endpointId,
    jti: push.pushId,
    iat,
    nbf: iat - 30,
    exp: iat + 120,
    htm: "POST",
    bsh: bodyHash(body),
    epoch: 0,
    gen: 0,
    seq: 0,
    ...fence,
    pv: 1,
  };
}

export async function signToken(
  key: SigningKey,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): Promise<string> {
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "aiki-push+jwt", ...header })
    .sign(key.private);
}

const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64url");

/** A token of exactly these header and payload texts, with a true signature over them. */
export function forgeToken(key: SigningKey, header: string | Uint8Array, payload: string | Uint8Array): string {
  const signed = `${b64(header)}.${b64(payload)}`;
  const hash = key.alg === "ES256" ? "sha256" : null;
  return `${signed}.${nodeSign(hash, Buffer.from(signed), { key: key.private, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

export interface Sent {
  readonly method?: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

export function pushHeaders(token: string): Record<string, string> {
  return { "content-type": PUSH_CONTENT_TYPE, "aiki-protocol": "1", authorization: `Bearer ${token}` };
}

/** Everything that a true push consists of. */
export async function signedPush(
  key: SigningKey,
  url: string,
  push: Push,
  claims: Record<string, unknown> = {},
): Promise<Sent> {
  const body = JSON.stringify(push);
  return { headers: pushHeaders(await signToken(key, { ...claimsOf(push, body, url), ...claims })), body };
}

export async function send(
  url: string,
  { method = "POST", headers, body }: Sent,
): Promise<{ response: Response; json: Answer | undefined }> {
  const response = await fetch(url, { method, headers, body: body as BodyInit, redirect: "manual" });
  const text = await response.text();
  return { response, json: text.startsWith("{") ? (JSON.parse(text) as Answer) : undefined };
}

/** Any answer of an endpoint, as loosely as tests look at it. */
export interface Answer {
  readonly error?: { readonly code: string; readonly message: string; readonly divergence?: unknown };
  readonly [member: string]: unknown;
}

/** Sends over a connection of its own, which a server may close when it does not want the whole body. */
export function sendAlone(
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sending.on("error", reject);
    sending.end(body);
  });
}

/** Sends on a connection of its own; what is given back closes it before any answer, or resets it. */
export function sendAndLeave(url: string, headers: Record<string, string>, body: string) {
  const sending = request(url, { method: "POST", headers, agent: false });
  sending.on("error", () => {});
  sending.end(body);
  return (how: "close" | "reset"): void => {
    if (how === "reset") sending.socket?.resetAndDestroy();
    else sending.destroy();
  };
}
