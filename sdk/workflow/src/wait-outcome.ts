import type { TerminalStatus, WireError } from "@aikirun/protocol";
import type { Json } from "./json.js";

/** How a run ended. */
export type EndState<Output> =
  | { readonly status: "completed"; readonly output: Json<Output> }
  | { readonly status: "failed"; readonly error: WireError }
  | { readonly status: "cancelled"; readonly reason?: string };

/** What `waitForStatus` gives: the awaited end, or why it will not come. */
export type WaitOutcome<Status extends TerminalStatus, Output, Cause extends string> =
  | { readonly success: true; readonly state: Extract<EndState<Output>, { readonly status: Status }> }
  | { readonly success: false; readonly cause: Cause };

interface Ended {
  readonly status: string;
  readonly output?: unknown;
  readonly error?: WireError | undefined;
  readonly reason?: string | undefined;
}

/** Compares how a run ended with what was awaited. */
export function waitOutcome<Status extends TerminalStatus, Output>(
  awaited: Status,
  end: Ended,
): WaitOutcome<Status, Output, "run_terminated"> {
  if (end.status !== awaited) return { success: false, cause: "run_terminated" };
  const { status, output, error, reason } = end;
  const state =
    status === "completed"
      ? { status, output }
      : status === "failed"
        ? { status, error: error ?? { name: "Error", message: "The run failed." } }
        : reason === undefined
          ? { status }
          : { status, reason };
  // The status was compared above, and the output is the decoded JSON of what the handler returned.
  return { success: true, state: state as Extract<EndState<Output>, { readonly status: Status }> };
}
