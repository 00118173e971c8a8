import { AikiError, findJsonFault, type JsonValue, LIMITS } from "@aikirun/protocol/canonical";

/**
 * A value as it will be read from the record: encoded as JSON and decoded again, the first time too, so that a `Date`
 * is a string before and after a crash. Throws `NOT_SERIALIZABLE` with the path of what JSON cannot hold, and
 * `PAYLOAD_TOO_LARGE`.
 */
export function recordable(value: unknown, what: string): JsonValue | undefined {
  if (value === undefined || value === null || typeof value === "boolean") return value;
  if (typeof value === "string" && value.length < LIMITS.payloadBytes / 3) return value;
  const fault = findJsonFault(value);
  if (fault) {
    throw new AikiError(
      "NOT_SERIALIZABLE",
      `${what} holds a value that JSON cannot hold: ${fault.path} ${fault.reason}. Use plain data.`,
      { details: { path: fault.path } },
    );
  }
  const text = JSON.stringify(value);
  // A `toJSON` that returns undefined.
  if (text === undefined) return undefined;
  if (exceedsBytes(text, LIMITS.payloadBytes)) {
    throw new AikiError(
      "PAYLOAD_TOO_LARGE",
      `${what} is larger than ${LIMITS.payloadBytes} bytes of JSON. Store it elsewhere and pass a reference.`,
    );
  }
  const decoded: JsonValue = JSON.parse(text);
  return decoded;
}

/** Whether a text has more UTF-8 bytes than allowed; encodes it only when its length leaves that open. */
function exceedsBytes(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}
