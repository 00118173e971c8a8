import { Command } from "commander";
import { runText } from "../run-text.js";
import { session } from "../session.js";

export function runsGetCommand(): Command {
  return new Command("get")
    .description("show one run: its status, input, output, and what it waits for")
    .argument("<run-id>")
    .action(async (runId: string, _options: object, command: Command) => {
      const { aiki, print } = session(command);
      const run = await aiki.getRun(runId);
      print(run, () => runText(run));
    });
}
