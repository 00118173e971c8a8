/** What handlers find in `run.context`, made anew for each invocation. */
import type { PushedRun } from "@aikirun/protocol";
import { makeContext } from "@aikirun/workflow/replay";
import type { TroubleLog } from "./logger.js";
import { Refusal } from "./refusal.js";

/** Throws the refusal `CONTEXT_FAILED`. */
export type ContextMaker = (run: PushedRun, bindings: object | undefined) => Promise<unknown>;

/** A context that cannot be made says nothing about the run: nothing was executed, so it is pushed again later. */
export function contextMaker(source: unknown, log: TroubleLog): ContextMaker {
  return async (run, bindings) => {
    const { workflow, version } = run;
    try {
      return await makeContext(source, run, bindings);
    } catch (error) {
      log.error("CONTEXT_FAILED", `The context for ${workflow}@${version} could not be made.`, error);
      throw new Refusal(
        503,
        "CONTEXT_FAILED",
        `The function given as \`context\` threw for ${workflow}@${version}. Nothing was executed. The app's log says what it threw.`,
        { logged: true },
      );
    }
  };
}
