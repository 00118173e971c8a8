import { AikiError, findJsonFault, type JsonValue, LIMITS } from "@aikirun/protocol/canonical";

/**
 * The JSON text of a value as it will be recorded; undefined for `undefined`. Throws `NOT_SERIALIZABLE` with the path
 * of what JSON cannot hold, and `PAYLOAD_TOO_LARGE`. `what` begins the message: "Task x returned a value".
 */
export function jsonText(value: unknown, what: string): string | undefined {
  const fault = findJsonFault(value);
  if (fault) {
    throw new AikiError(
      "NOT_SERIALIZABLE",
      `${what} that JSON cannot hold: ${fault.path} ${fault.reason}. Use plain data.`,
      { details: { path: fault.path } },
    );
  }
  // Undefined also when a `toJSON` says so, whatever the declared type of JSON.stringify.
  const text: string | undefined = JSON.stringify(value);
  if (text !== undefined && exceedsBytes(text, LIMITS.payloadBytes)) {
    throw new AikiError(
      "PAYLOAD_TOO_LARGE",
      `${what} of more than ${LIMITS.payloadBytes} bytes of JSON. Store it elsewhere and pass a reference.`,
    );
  }
  return text;
}

/** A value as it will be read from the record: encoded and decoded, the first time too. Throws as `jsonText`. */
export function recordable(value: unknown, what: string): JsonValue | undefined {
  const text = jsonText(value, what);
  if (text === undefined) return undefined;
  const decoded: JsonValue = JSON.parse(text);
  return decoded;
}

/** A copy of a recorded value: what user code does to it must not reach the history. */
export function copyJson<Value extends JsonValue | undefined>(value: Value): Value;
export function copyJson(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => copyJson(item));
  const copy: { [key: string]: JsonValue } = {};
  for (const key of Object.keys(value)) {
    const item = copyJson(value[key] as JsonValue);
    // Assignment to this one name would set the prototype instead.
    if (key === "__proto__")
      Object.defineProperty(copy, key, { value: item, enumerable: true, configurable: true, writable: true });
    else copy[key] = item;
  }
  return copy;
}

/** Whether a text has more UTF-8 bytes than allowed; encodes it only when its length leaves that open. */
function exceedsBytes(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}
