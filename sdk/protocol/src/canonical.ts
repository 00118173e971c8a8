/**
 * The zod-free part of the protocol: what replay and the core need at run time.
 * Canonical JSON follows RFC 8785 (JSON Canonicalization Scheme).
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { base32 } from "./id.js";
import type { JsonValue } from "./json.js";

export { AikiError, ERROR_CODES, type ErrorCode } from "./errors.js";
export { findJsonFault, type JsonFault, type JsonValue, jsonTextDepth, MAX_JSON_DEPTH } from "./json.js";
export { type EntryKind, entryKey, parseEntryKey } from "./key.js";
export { LIMITS } from "./limits.js";

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

/** Lower-case hex SHA-256 of a text's UTF-8 bytes. Synchronous on every runtime. */
export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/** The identity of an input: SHA-256 of its canonical JSON. An absent input hashes as `null`. */
export function inputHash(input: JsonValue | undefined): string {
  return sha256Hex(canonicalJson(input ?? null));
}

/**
 * The id of a child run that has no reference id, made from its parent and the key of its entry there, so that the
 * handler knows it before the child exists and a repeated `child.start` names the same run. Sorts with its parent.
 */
export function childRunId(parentId: string, key: string): string {
  const digest = sha256(utf8ToBytes(`${parentId}/${key}`));
  return `${parentId.slice(0, CHILD_PREFIX_CHARS)}${base32(digest, 16)}`;
}
/** `run_` and the ten characters of the parent's time. */
const CHILD_PREFIX_CHARS = 14;
