import type { WorkflowList } from "@aikirun/protocol";
import { Command } from "commander";
import { session } from "../session.js";
import { table } from "../table.js";
import { workflowsGetCommand } from "./workflows-get.js";

export function workflowsCommand(): Command {
  return new Command("workflows")
    .description("list workflow versions, who serves them, and their live runs; get shows one")
    .addCommand(workflowsGetCommand())
    .action(async (_options: object, command: Command) => {
      const { aiki, print } = session(command);
      const workflows = await aiki.listWorkflows();
      print({ workflows }, () =>
        table(
          [{ head: "workflow" }, { head: "served by" }, { head: "live" }, { head: "waiting" }, { head: "events" }],
          workflows.map((one) => [
            `${one.name}@${one.version}`,
            servedBy(one),
            String(one.live),
            one.waiting === 0 ? "" : String(one.waiting),
            one.events.join(", "),
          ]),
        ),
      );
    });
}

function servedBy({ endpoint, workers }: WorkflowList["workflows"][number]): string {
  const pulling = workers === 0 ? [] : [workers === 1 ? "a worker" : `${workers} workers`];
  return [...(endpoint === undefined ? [] : [endpoint]), ...pulling].join(", ") || "nobody serves it";
}
