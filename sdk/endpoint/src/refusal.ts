/** Why a push is not carried out: the answer that says so, and what the app's own log adds to it. */
import type { Divergence, ErrorAnswer, ErrorCode } from "@aikirun/protocol";

export class Refusal extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  /** For the log only: what the answer must not say, and the code that goes with it. */
  readonly reason: string | undefined;
  readonly loggedCode: ErrorCode;
  readonly divergence: Divergence | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Whoever refused has told the log more than the refusal holds. */
  readonly logged: boolean;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    more: {
      reason?: string;
      loggedCode?: ErrorCode;
      divergence?: Divergence;
      headers?: Readonly<Record<string, string>>;
      logged?: boolean;
    } = {},
  ) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
    this.reason = more.reason;
    this.loggedCode = more.loggedCode ?? code;
    this.divergence = more.divergence;
    this.headers = more.headers ?? {};
    this.logged = more.logged ?? false;
  }
}

/** What the caller hears of it. */
export function errorOf({ code, message, divergence }: Refusal): ErrorAnswer["error"] {
  return { code, message, ...(divergence && { divergence }) };
}

/** Until the signature verifies, all failures look the same from outside, so that nobody can use them as an oracle. */
export function unauthenticated(reason: string, loggedCode: ErrorCode = "UNAUTHENTICATED_PUSH"): Refusal {
  const message = "This push was not accepted. The app's log says why.";
  return new Refusal(401, "UNAUTHENTICATED_PUSH", message, { reason, loggedCode });
}
