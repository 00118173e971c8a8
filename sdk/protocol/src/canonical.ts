/**
 * The zod-free part of the protocol: what replay and the core need at run time.
 * Canonical JSON follows RFC 8785 (JSON Canonicalization Scheme).
 */
import { sha256Hex } from "./hash.js";
import type { JsonValue } from "./json.js";

export type { Command } from "./commands.js";
export { AikiError, ERROR_CODES, type ErrorCode } from "./errors.js";
export { sha256Hex } from "./hash.js";
export type { HistoryRecord } from "./history.js";
export { childRunId, type IdPrefix, newId, scheduledRunId } from "./id.js";
export { findJsonFault, type JsonFault, type JsonValue, jsonTextDepth, MAX_JSON_DEPTH } from "./json.js";
export { childOfWait, type EntryKind, entryKey, parseEntryKey } from "./key.js";
export { LIMITS } from "./limits.js";
export { hiddenByRetry, runAttemptOf } from "./retried.js";

/**
 * RFC 8785 text of a decoded JSON value: members sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * prints them. Lone surrogates, which RFC 8785 leaves open, are written as `\udXXX` escapes, as `JSON.stringify` does.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as JsonValue)}`);
  return `{${members.join(",")}}`;
}

/** The identity of an input: SHA-256 of its canonical JSON. An absent input hashes as `null`. */
export function inputHash(input: JsonValue | undefined): string {
  return sha256Hex(canonicalJson(input ?? null));
}
