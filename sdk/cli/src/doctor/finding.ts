import { AikiError } from "@aikirun/protocol/canonical";
import { messageOf } from "../failure.js";

/** One line of `aiki doctor`. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about a problem. */
  readonly fix?: string;
}

export function fine(check: string, detail: string): Finding {
  return { check, ok: true, detail };
}

export function problem(check: string, detail: string, fix?: string): Finding {
  return { check, ok: false, detail, ...(fix === undefined ? {} : { fix }) };
}

export function problemOf(check: string, error: unknown): Finding {
  return problem(check, error instanceof AikiError ? `${error.code} ${error.message}` : messageOf(error));
}
