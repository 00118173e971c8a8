import type { ListRunsQuery } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import { Command } from "commander";
import { instant, whole } from "../arguments.js";
import { hint, session } from "../session.js";
import { paintStatus, table } from "../table.js";
import { instantText } from "../text.js";

type ListFlags = Omit<ListRunsQuery, "q" | "version"> & { workflowVersion?: string; search?: string };

export function runsListCommand(): Command {
  return new Command("list")
    .description("list runs, newest first")
    .option("--status <status,…>", "only runs in one of these statuses")
    .option("--workflow <name>", "only runs of this workflow")
    .option("--workflow-version <version>", "only runs of this version")
    .option("--reference <id>", "only the run with this reference id; with --parent, its child")
    .option("--parent <run-id>", "only children of this run")
    .option("--schedule <schedule-id>", "only runs that this schedule started")
    .option("--search <text>", "only runs whose id or reference id begins like this")
    .option("--created-after <time>", "a date, or an age such as 2h", instant)
    .option("--created-before <time>", "a date, or an age such as 2h", instant)
    .option("--cursor <cursor>", "where the page before ended")
    .option("--limit <n>", `rows, at most ${LIMITS.pageRows}`, whole(1, LIMITS.pageRows), 50)
    .action(async ({ workflowVersion: version, search: q, ...filter }: ListFlags, command: Command) => {
      const { aiki, print, json } = session(command);
      const page = await aiki.listRuns({ ...filter, ...(version !== undefined && { version }), ...(q && { q }) });
      print(page, () =>
        table(
          [
            { head: "run" },
            { head: "workflow" },
            { head: "status", paint: paintStatus },
            { head: "created" },
            { head: "reference" },
          ],
          page.runs.map((run) => [
            run.id,
            `${run.workflow}@${run.version}`,
            run.status,
            instantText(run.createdAt),
            run.reference ?? "",
          ]),
        ),
      );
      if (page.next !== undefined && !json) hint(`More: --cursor ${page.next}`);
    });
}
