/** What a verified token says, held against this app, this request and this clock. */
import {
  CLOCK_TOLERANCE_S,
  PROTOCOL_VERSION,
  type PushClaims,
  type PushRequest,
  pushClaimsSchema,
} from "@aikirun/protocol";
import { type Audience, checkAudience } from "./audience.js";
import { Refusal } from "./refusal.js";
import { parseObject, type Token } from "./token.js";

/** Seconds between a token's `iat` and `exp` beyond which it is no push token, whoever signed it. */
const LIFETIME_S = 600;

export interface Expected {
  readonly namespace: string;
  /** Compared only when it is configured. */
  readonly issuer: string | undefined;
  readonly audience: Audience;
  readonly method: string;
  readonly bodyHash: string;
  /** This app's clock: seconds since the Unix epoch, when the request arrived. */
  readonly nowS: number;
}

/** The signature has verified, so only the orchestrator gets here: every refusal may say what differs. */
export function checkClaims(token: Token, expected: Expected): PushClaims {
  const parsed = pushClaimsSchema.safeParse(parseObject(token.payload));
  if (!parsed.success) {
    const names = parsed.error.issues.map((issue) => issue.path.join(".") || "(all)");
    throw invalid(`The token's claims are not those of a push: ${names.join(", ")}.`);
  }
  const claims = parsed.data;
  checkTimes(claims, expected.nowS);
  if (claims.pv !== PROTOCOL_VERSION) {
    throw new Refusal(
      400,
      "PROTOCOL_UNSUPPORTED",
      `This app speaks version ${PROTOCOL_VERSION} of the push protocol, not ${claims.pv}.`,
    );
  }
  if (claims.htm !== expected.method) throw invalid(`The token was made for ${claims.htm}, not ${expected.method}.`);
  checkParties(claims, expected);
  if (claims.bsh !== expected.bodyHash) {
    throw invalid(
      "The body changed on the way: what arrived is not what was signed. " +
        "Exempt this route from whatever rewrites request bodies in front of it.",
    );
  }
  return claims;
}

function checkTimes({ iat, nbf, exp }: PushClaims, nowS: number): void {
  if (exp < iat || exp - iat > LIFETIME_S) throw invalid(`The token may live ${LIFETIME_S} seconds, not ${exp - iat}.`);
  const early = Math.max(iat, nbf) - nowS > CLOCK_TOLERANCE_S;
  const late = nowS - exp > CLOCK_TOLERANCE_S;
  if (!early && !late) return;
  const clock = (seconds: number) => new Date(seconds * 1000).toISOString();
  throw new Refusal(
    401,
    "CLOCK_SKEW",
    `The push was signed at ${clock(iat)} and expires at ${clock(exp)}; this app's clock says ${clock(nowS)}. ` +
      (early ? "Set the slower clock." : "Set the faster clock; if both are right, the push was long on its way."),
  );
}

function checkParties(claims: PushClaims, { issuer, namespace, audience }: Expected): void {
  if (issuer !== undefined && claims.iss !== issuer) {
    throw new Refusal(401, "ISSUER_MISMATCH", `Sent by ${claims.iss}, but AIKI_ISSUER of this app is ${issuer}.`);
  }
  if (claims.ns !== namespace) {
    throw new Refusal(
      401,
      "NAMESPACE_MISMATCH",
      `Sent for namespace ${claims.ns}, but this app serves ${namespace}. ` +
        `Set AIKI_NAMESPACE=${claims.ns} here, or register this endpoint in ${namespace}.`,
    );
  }
  checkAudience(claims.aud, audience);
}

/** The token and the body must speak of the same push, and the same place in the same run. */
export function checkBinding(claims: PushClaims, push: PushRequest): void {
  if (claims.jti !== push.pushId) throw invalid("The token was made for another push.");
  const subject = "endpointId" in push ? push.endpointId : push.run.id;
  if (claims.sub !== subject) throw invalid("The token was made for another run or endpoint.");
  if (push.type !== "execute") return;
  const { epoch, gen, seq } = push.fence;
  if (claims.epoch !== epoch || claims.gen !== gen || claims.seq !== seq)
    throw invalid("The token was made for another fence.");
}

function invalid(message: string): Refusal {
  return new Refusal(401, "SIGNATURE_INVALID", message);
}
