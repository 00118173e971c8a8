import type { ListSchedulesQuery } from "@aikirun/protocol";
import { LIMITS } from "@aikirun/protocol/canonical";
import { Command, Option } from "commander";
import { whole } from "../arguments.js";
import { recurrenceText, zonedText } from "../schedule-text.js";
import { hint, session } from "../session.js";
import { paintStatus, table } from "../table.js";

export function schedulesListCommand(): Command {
  return new Command("list")
    .description("list schedules, newest first")
    .addOption(new Option("--status <status>", "only these").choices(["active", "paused"]))
    .option("--workflow <name>", "only schedules of this workflow")
    .option("--workflow-version <version>", "only schedules of this version")
    .option("--reference <id>", "only the schedule with this reference id")
    .option("--cursor <cursor>", "where the page before ended")
    .option("--limit <n>", `rows, at most ${LIMITS.pageRows}`, whole(1, LIMITS.pageRows), 50)
    .action(
      async ({ workflowVersion, ...filter }: ListSchedulesQuery & { workflowVersion?: string }, command: Command) => {
        const { aiki, print, json } = session(command);
        const page = await aiki.listSchedules(
          workflowVersion === undefined ? filter : { ...filter, version: workflowVersion },
        );
        print(page, () =>
          table(
            [
              { head: "schedule" },
              { head: "workflow" },
              { head: "status", paint: paintStatus },
              { head: "fires" },
              { head: "next" },
              { head: "started" },
              { head: "reference" },
            ],
            page.schedules.map((one) => [
              one.id,
              `${one.workflow}@${one.version}`,
              one.status,
              recurrenceText(one.recurrence),
              one.nextAt === undefined ? "" : zonedText(one.nextAt, one.recurrence),
              String(one.started),
              one.reference ?? "",
            ]),
          ),
        );
        if (page.next !== undefined && !json) hint(`More: --cursor ${page.next}`);
      },
    );
}
