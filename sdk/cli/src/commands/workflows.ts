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
          [{ head: "workflow" }, { head: "endpoint" }, { head: "live" }, { head: "events" }],
          workflows.map((one) => [
            `${one.name}@${one.version}`,
            one.endpoint ?? "nobody serves it",
            String(one.live),
            one.events.join(", "),
          ]),
        ),
      );
    });
}
