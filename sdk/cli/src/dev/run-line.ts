import type { Run } from "@aikirun/protocol";
import pc from "picocolors";
import { errorTitle } from "../error-text.js";
import { durationText, oneLine } from "../text.js";

/** One line for a run that has ended: what `aiki dev` shows of it. */
export function runLine(run: Run): string {
  const took = run.endedAt === undefined ? "" : durationText(run.endedAt - run.createdAt);
  const mark = run.status === "completed" ? pc.green("✓") : run.status === "failed" ? pc.red("✗") : pc.yellow("○");
  const name = oneLine(`${run.workflow}@${run.version}`, 60).padEnd(28);
  const why = run.error ? `  ${oneLine(errorTitle(run.error), 100)}` : "";
  return `${mark} ${name} ${run.status.padEnd(9)} ${took.padStart(9)}  ${pc.dim(run.id)}${why}`;
}
