/** One HTTP POST to somebody else's server, as `push.ts` and `describe.ts` need it. `shell/` implements it per runtime. */
import type { ErrorCode } from "@aikirun/protocol";

export interface ExchangeRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** From the first attempt to connect to the last byte of the answer. */
  readonly totalMs: number;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal;
}

export type ExchangeFailure = Extract<
  ErrorCode,
  | "ABORTED"
  | "BAD_ANSWER"
  | "BLOCKED_ADDRESS"
  | "BODY_TRUNCATED"
  | "CONNECTION_LOST"
  | "CONNECTION_REFUSED"
  | "DNS_FAILED"
  | "ENDPOINT_TIMEOUT"
  | "TLS_FAILED"
>;

export type Exchanged =
  | {
      readonly type: "answered";
      readonly status: number;
      /** Lower-case names. A name that came twice has its values joined by a comma. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** `sent`: the request may have reached the server, so that its outcome is unknown. `detail` completes "<url> …". */
  | { readonly type: "failed"; readonly code: ExchangeFailure; readonly detail: string; readonly sent: boolean };

/** Never follows a redirect, never decompresses, never throws. */
export interface Exchange {
  post(request: ExchangeRequest): Promise<Exchanged>;
  close(): Promise<void>;
}
