import type { WorkflowDetail } from "@aikirun/protocol";
import { Command } from "commander";
import { workflowAt } from "../arguments.js";
import { schemaText } from "../schema-text.js";
import { knownVersion } from "../served-version.js";
import { session } from "../session.js";
import { pairs } from "../table.js";
import { printable } from "../text.js";

export function workflowsGetCommand(): Command {
  return new Command("get")
    .description("show what one workflow version takes, gives and receives")
    .argument("<workflow[@version]>", "the version may be left out when there is only one")
    .action(async (wanted: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const { workflow, version } = workflowAt(wanted);
      const found = await aiki.getWorkflow(workflow, version ?? (await knownVersion(aiki, workflow)));
      print(found, () => workflowText(found));
    });
}

function workflowText({ name, version, endpoint, live, input, output, events }: WorkflowDetail): string {
  const shown = (schema: WorkflowDetail["input"]) => (schema ? printable(schemaText(schema)) : "not described");
  return pairs([
    ["workflow", printable(`${name}@${version}`)],
    ["endpoint", printable(endpoint ?? "nobody serves it")],
    ["live", String(live)],
    ["input", shown(input)],
    ["output", output && shown(output)],
    ...events.map((event): [string, string] => ["event", `${printable(event.name)}: ${shown(event.schema)}`]),
  ]);
}
