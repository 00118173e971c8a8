/** Why there was no answer, told from what undici and the system threw. */
import { errors } from "undici";
import type { Exchanged, ExchangeFailure } from "../egress/exchange.js";
import { blockedAddress, failed } from "../egress/failures.js";
import { BlockedAddress } from "./guarded-connector.js";

const NO_CONNECTION: Readonly<Record<string, readonly [ExchangeFailure, string]>> = {
  ECONNREFUSED: ["CONNECTION_REFUSED", "refused the connection"],
  EHOSTUNREACH: ["CONNECTION_REFUSED", "cannot be reached (no route to the host)"],
  ENETUNREACH: ["CONNECTION_REFUSED", "cannot be reached (no route to the network)"],
  EADDRNOTAVAIL: ["CONNECTION_REFUSED", "cannot be reached from this address"],
  UND_ERR_CONNECT_TIMEOUT: ["CONNECTION_REFUSED", "did not accept a connection in time"],
  ETIMEDOUT: ["CONNECTION_REFUSED", "did not accept a connection in time"],
  ENOTFOUND: ["DNS_FAILED", "has a host name that does not resolve"],
  EAI_AGAIN: ["DNS_FAILED", "has a host name that the name server did not answer for"],
};

/** There was no answer at all. */
export function brokenRequest(error: unknown): Exchanged {
  const cause = firstCause(error);
  if (cause instanceof BlockedAddress) return blockedAddress;
  const code = errorCode(cause);
  if (code in NO_CONNECTION && (code !== "ETIMEDOUT" || failedToConnect(cause))) return unconnected(code);
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)|_CERT/.test(code)) {
    return failed("TLS_FAILED", `has no valid TLS certificate or protocol (${code})`, false);
  }
  if (code === "UND_ERR_HEADERS_OVERFLOW" || cause instanceof errors.HTTPParserError) {
    return failed(
      "BAD_ANSWER",
      `answered with something that is not HTTP, or with too many header bytes (${code})`,
      true,
    );
  }
  return failed("CONNECTION_LOST", `closed the connection before it answered (${code || "no reason given"})`, true);
}

function unconnected(code: string): Exchanged {
  const [failure, detail] = NO_CONNECTION[code] ?? ["CONNECTION_LOST", code];
  return failed(failure, detail, false);
}

/** Node tries every address of a name and reports all failures together. */
function firstCause(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

/** The system call tells a connection that was never made from one that fell silent. */
function failedToConnect(error: unknown): boolean {
  return typeof error === "object" && error !== null && "syscall" in error && error.syscall === "connect";
}

function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}
