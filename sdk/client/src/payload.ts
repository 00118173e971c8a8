import { AikiError, findJsonFault, LIMITS } from "@aikirun/protocol/canonical";

/** Refuses what JSON cannot hold, before anything is sent. `what` begins the sentence, e.g. `The input of checkout`. */
export function jsonOrThrow<T>(value: T, what: string): T {
  const fault = findJsonFault(value);
  if (fault) {
    const message = `${what} holds a value that JSON cannot hold: ${fault.path} ${fault.reason}. Send plain data.`;
    throw new AikiError("NOT_SERIALIZABLE", message, { details: { path: fault.path } });
  }
  const bytes = value === undefined ? 0 : new TextEncoder().encode(JSON.stringify(value)).length;
  if (bytes > LIMITS.payloadBytes) {
    throw new AikiError(
      "PAYLOAD_TOO_LARGE",
      `${what} is ${bytes} bytes of JSON; at most ${LIMITS.payloadBytes} fit. Store the data elsewhere and send its address.`,
      { details: { bytes, limit: LIMITS.payloadBytes } },
    );
  }
  return value;
}
