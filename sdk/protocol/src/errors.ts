/** Every error code that Aiki shows to anybody: stable, enumerable, never reused. */
export const ERROR_CODES = [
  // requests to the orchestrator
  "INVALID_REQUEST",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "UNSUPPORTED_MEDIA_TYPE",
  "FOREIGN_HOST",
  "FOREIGN_ORIGIN",
  "BODY_TOO_LARGE",
  "PAYLOAD_TOO_LARGE",
  "JSON_TOO_DEEP",
  "REFERENCE_CONFLICT",
  "RUN_ID_CONFLICT",
  "RUN_ENDED",
  "RUN_NOT_FAILED",
  "TOO_MANY_QUEUED_EVENTS",
  "VERSION_OWNED",
  "CHECKPOINT_STALE",
  "WOULD_DIVERGE",
  "CRON_INVALID",
  "TIME_ZONE_INVALID",
  "TOO_MANY_SCHEDULES",
  "DATABASE_UNAVAILABLE",
  "TOO_MANY_ATTEMPTS",
  "OVERLOADED",
  "INTERNAL",
  // what stops a program at start
  "SETTING_INVALID",
  "SCHEMA_TOO_OLD",
  "SCHEMA_UNKNOWN",
  "DATA_LOCKED",
  "PORT_IN_USE",
  "DATABASE_UNSAFE",
  "OPEN_SERVER",
  // what the endpoint answers to a push
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
  "WORKFLOW_NOT_SERVED",
  "CONTEXT_FAILED",
  "HISTORY_NEEDED",
  "NON_DETERMINISM",
  // how a delivery failed, seen from the orchestrator
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
  "INVALID_URL",
  "NO_PROGRESS",
  "DELIVERY_EXHAUSTED",
  // what ends or stops a run, or fails a call in user code
  "TASK_FAILED",
  "OUT_OF_TIME",
  "TASK_TIMEOUT",
  "RUN_TIMEOUT",
  "NOT_SERIALIZABLE",
  "SCHEMA_INVALID",
  "INVALID_ARGUMENT",
  "LIMIT_EXCEEDED",
  "DUPLICATE_WORKFLOW",
  // the client and the command line
  "ORCHESTRATOR_UNREACHABLE",
  "BAD_RESPONSE",
  "ABORTED",
  // the testing kit
  "RUN_STUCK",
  "RUN_NOT_COMPLETED",
  "TASK_NOT_MOCKED",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * The base of every error that Aiki throws: a stable `code`, a message that says what happened, what was expected
 * and what to do next, and `details` with ids for machines.
 */
export class AikiError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; details?: Readonly<Record<string, unknown>> },
  ) {
    super(message, options && "cause" in options ? { cause: options.cause } : undefined);
    this.name = "AikiError";
    this.code = code;
    this.details = options?.details;
  }
}
