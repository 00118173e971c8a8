/**
 * The token that travels in a push and comes back with each checkpoint: a JWT (RFC 7519) that the orchestrator makes for
 * itself, so that a keyed hash is enough. It opens one push of one run, and nothing else.
 */
import {
  CHECKPOINT_PATH,
  CHECKPOINT_TOKEN_TYPE,
  type CheckpointAccess,
  type CheckpointClaims,
  CLOCK_TOLERANCE_S,
  checkpointClaimsSchema,
  type Fence,
} from "@aikirun/protocol";
import { base64url } from "jose";

/** base64url HMAC-SHA-256 (RFC 2104) of a text, under a key that only the orchestrators of one database know. */
export type Mac = (text: string) => string;

export interface CheckpointTokensOptions {
  readonly mac: Mac;
  /** `iss` and `aud`: the orchestrator's public URL. */
  readonly issuer: () => string;
  readonly now: () => number;
}

/** What a token speaks of. */
export interface PushedPlace {
  readonly ns: string;
  readonly runId: string;
  readonly pushId: string;
  readonly fence: Pick<Fence, "epoch" | "gen">;
}

/** Tokens whose claims are kept: an invocation sends the same one with each of its checkpoints. */
const MOST_KNOWN = 2_000;

export class CheckpointTokens {
  readonly #options: CheckpointTokensOptions;
  readonly #header: string;
  readonly #known = new Map<string, CheckpointClaims>();

  constructor(options: CheckpointTokensOptions) {
    this.#options = options;
    this.#header = encode({ alg: "HS256", typ: CHECKPOINT_TOKEN_TYPE });
  }

  /** Good until the invocation has surely ended, or the time is over that it may take with a callback. */
  access({ ns, runId: sub, pushId: jti, fence }: PushedPlace, lastsMs: number, callbackMs?: number): CheckpointAccess {
    const { issuer, now, mac } = this.#options;
    const iss = issuer();
    const exp = Math.ceil((now() + lastsMs) / 1_000);
    const claims: CheckpointClaims = { iss, aud: iss, ns, sub, jti, exp, epoch: fence.epoch, gen: fence.gen };
    const signed = `${this.#header}.${encode(claims)}`;
    const access = { url: iss + CHECKPOINT_PATH, token: `${signed}.${mac(signed)}` };
    return callbackMs === undefined ? access : { ...access, callbackMs };
  }

  /** The claims of a token that was made here or by another orchestrator of this database. Undefined for any other. */
  read(token: string): CheckpointClaims | undefined {
    const claims = this.#known.get(token) ?? this.#verify(token);
    return claims && claims.exp + CLOCK_TOLERANCE_S >= this.#options.now() / 1_000 ? claims : undefined;
  }

  #verify(token: string): CheckpointClaims | undefined {
    const { issuer, mac } = this.#options;
    const [header, payload, signature, more] = token.split(".");
    // The header has one text: nothing in it is believed, so nothing in it needs to be parsed.
    if (header !== this.#header || payload === undefined || signature === undefined || more !== undefined) return;
    if (!sameText(signature, mac(`${header}.${payload}`))) return;
    const claims = checkpointClaimsSchema.safeParse(decode(payload));
    if (!claims.success || claims.data.aud !== issuer()) return;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(token, claims.data);
    return claims.data;
  }
}

function encode(value: object): string {
  return base64url.encode(JSON.stringify(value));
}

function decode(payload: string): unknown {
  return JSON.parse(new TextDecoder().decode(base64url.decode(payload)));
}

/** Takes as long for any two texts of one length. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
