/** What an answer can lack, and what ends a POST without one: in the same words on every runtime. */
import type { Exchanged, ExchangeFailure, ExchangeRequest } from "./exchange.js";

export function failed(code: ExchangeFailure, detail: string, sent: boolean): Exchanged {
  return { type: "failed", code, detail, sent };
}

export const notAsked = failed("ABORTED", "was not asked: the push was called off", false);

export const calledOff = failed("ABORTED", "did not answer before the push was called off", true);

export const blockedAddress = failed(
  "BLOCKED_ADDRESS",
  "leads to an address that pushes must not reach (AIKI_EGRESS_ALLOW)",
  false,
);

export const notUtf8 = failed("BAD_ANSWER", "answered with bytes that are not UTF-8", true);

export function timeUp({ totalMs }: ExchangeRequest): Exchanged {
  return failed("ENDPOINT_TIMEOUT", `did not answer within ${totalMs / 1_000} s`, true);
}

/** Judges an answer by its head. Undefined: its body may be read. */
export function unreadable(
  headers: Readonly<Record<string, string>>,
  { maxAnswerBytes }: ExchangeRequest,
): Exchanged | undefined {
  const encoding = headers["content-encoding"];
  if (encoding && encoding !== "identity") {
    return failed("BAD_ANSWER", `answered with content-encoding ${encoding}, though only identity was accepted`, true);
  }
  return Number(headers["content-length"] ?? 0) > maxAnswerBytes ? tooLong(maxAnswerBytes) : undefined;
}

export function tooLong(maxAnswerBytes: number): Exchanged {
  return failed("BAD_ANSWER", `answered with more than ${maxAnswerBytes.toLocaleString("en-US")} bytes`, true);
}

/** The connection ended in the middle of an answer that announced `length` bytes, or did not say how many. */
export function brokenAnswer(length: string | undefined): Exchanged {
  if (length === undefined) return failed("CONNECTION_LOST", "closed the connection in the middle of its answer", true);
  return failed("BODY_TRUNCATED", `announced ${length} bytes and closed the connection before sending them`, true);
}
