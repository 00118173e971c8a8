/** How an error looks over HTTP. */
import { AikiError, type ApiError, type ErrorCode } from "@aikirun/protocol";
import { StoreUnavailable } from "../store/port.js";

/** 422: the request was understood, and what it names did not do its part. Codes not listed are 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  INVALID_REQUEST: 400,
  INVALID_URL: 400,
  CRON_INVALID: 400,
  TIME_ZONE_INVALID: 400,
  JSON_TOO_DEEP: 400,
  SCHEMA_INVALID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  FOREIGN_HOST: 403,
  FOREIGN_ORIGIN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REFERENCE_CONFLICT: 409,
  RUN_ID_CONFLICT: 409,
  RUN_ENDED: 409,
  RUN_NOT_FAILED: 409,
  VERSION_OWNED: 409,
  CHECKPOINT_STALE: 409,
  WOULD_DIVERGE: 409,
  TOO_MANY_SCHEDULES: 409,
  BODY_TOO_LARGE: 413,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  TOO_MANY_QUEUED_EVENTS: 429,
  OVERLOADED: 429,
  TOO_MANY_ATTEMPTS: 429,
  INTERNAL: 500,
  DATABASE_UNAVAILABLE: 503,
  SCHEMA_TOO_OLD: 503,
  SCHEMA_UNKNOWN: 503,
};

/** What an endpoint that is being registered may answer, or fail to. */
const ENDPOINT_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "UNAUTHENTICATED_PUSH",
  "SIGNATURE_INVALID",
  "AUDIENCE_MISMATCH",
  "NAMESPACE_MISMATCH",
  "ISSUER_MISMATCH",
  "CLOCK_SKEW",
  "KEYS_MISSING",
  "KEYS_UNREACHABLE",
  "BODY_ALREADY_PARSED",
  "BODY_TRUNCATED",
  "PROTOCOL_UNSUPPORTED",
  "BAD_ANSWER",
  "ENDPOINT_REFUSED",
  "PROTECTED_BY_HOST",
  "NOT_AN_ENDPOINT",
  "REDIRECT",
  "BUSY",
  "ENDPOINT_ERROR",
  "ENDPOINT_TIMEOUT",
  "CONNECTION_REFUSED",
  "CONNECTION_LOST",
  "DNS_FAILED",
  "TLS_FAILED",
  "BLOCKED_ADDRESS",
]);

export interface ErrorReply {
  readonly status: number;
  readonly body: ApiError;
  readonly headers: Readonly<Record<string, string>>;
}

export function errorReply(error: AikiError): ErrorReply {
  const status = STATUS[error.code] ?? (ENDPOINT_FAULTS.has(error.code) ? 422 : 500);
  const { code, message, details } = error;
  const headers: Record<string, string> = {};
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="aiki"';
  if (status === 429 || status === 503) {
    const ms = details?.["retryAfterMs"];
    headers["retry-after"] = String(Math.max(1, Math.ceil((typeof ms === "number" ? ms : 1_000) / 1_000)));
  }
  return { status, body: { error: { code, message, ...(details && { details: { ...details } }) } }, headers };
}

/** An error that is ours as it is; the database's absence as such; anything else without its inside. */
export function toAikiError(error: unknown): AikiError {
  if (error instanceof AikiError) return error;
  if (error instanceof StoreUnavailable) {
    return new AikiError(
      "DATABASE_UNAVAILABLE",
      "The database cannot be reached just now. The same request, with the same id, may be sent again.",
      { cause: error },
    );
  }
  return new AikiError("INTERNAL", "Something in the orchestrator failed. Its log says what.", { cause: error });
}
