/** Why a push is not carried out: the answer that says so, and what the app's own log adds to it. */
import type { Divergence, ErrorCode } from "@aikirun/protocol";

export class Refusal extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  /** For the log only. */
  readonly reason: string | undefined;
  readonly divergence: Divergence | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    more: { reason?: string; divergence?: Divergence; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
    this.reason = more.reason;
    this.divergence = more.divergence;
    this.headers = more.headers ?? {};
  }
}

/** Until the signature verifies, all failures look the same from outside, so that nobody can use them as an oracle. */
export function unauthenticated(reason: string): Refusal {
  return new Refusal(401, "UNAUTHENTICATED_PUSH", "This push was not accepted. The app's log says why.", { reason });
}
