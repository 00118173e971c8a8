import type { Run } from "@aikirun/protocol";
import pc from "picocolors";
import { errorText } from "../error-text.js";
import { jsonText, taskName } from "../run-text.js";
import { durationText, printable } from "../text.js";

export function beginText(run: Run): string {
  return `${pc.bold(printable(`${run.workflow}@${run.version}`))}  ${pc.dim(run.id)}`;
}

/** How a run ended, and with what. */
export function endText(run: Run): string {
  const after = run.endedAt === undefined ? "" : ` after ${durationText(run.endedAt - run.createdAt)}`;
  switch (run.status) {
    case "completed":
      return [pc.green(`completed${after}`), jsonText(run.output)].filter((line) => line !== undefined).join("\n");
    case "failed":
      return [
        pc.red(`failed${after}${run.failedTask === undefined ? "" : ` in task ${taskName(run.failedTask)}`}`),
        ...(run.error ? [errorText(run.error)] : []),
      ].join("\n");
    default:
      return pc.yellow(`${run.status}${after}${run.reason === undefined ? "" : `: ${printable(run.reason)}`}`);
  }
}
